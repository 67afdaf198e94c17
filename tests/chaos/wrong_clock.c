/*
 * A wall clock that is wrong: preloaded into a program, it adds the seconds that
 * stand in the file of CHAOS_CLOCK (eight bytes, host order) to the real time.
 * The file may change while the program runs: then the clock jumps.
 *
 *	LD_PRELOAD=libwrong_clock.so CHAOS_CLOCK=/tmp/one sluice worker
 *
 * Monotonic clocks and timespec_get(), by which libraries sleep, stay right.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *wrong_by;

__attribute__((constructor)) static void find_file(void)
{
	const char *path = getenv("CHAOS_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(*wrong_by), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		wrong_by = page;
}

static time_t error_now(void)
{
	return wrong_by ? (time_t)*wrong_by : 0;
}

int clock_gettime(clockid_t id, struct timespec *into)
{
	if (syscall(SYS_clock_gettime, id, into) != 0)
		return -1;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		into->tv_sec += error_now();
	return 0;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	into->tv_sec = now.tv_sec;
	into->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *into)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	if (into)
		*into = now.tv_sec;
	return now.tv_sec;
}
