#include "meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEPTH 8

static nsec own_time(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (nsec)spent.tv_sec * NSEC_PER_SEC + (nsec)spent.tv_nsec;
}

/* A small file of /proc; "" when the process is gone. */
static void read_all(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, size - 1, file) : 0;

	text[len] = '\0';
	if (file)
		fclose(file);
}

/* Ticks of a process and of the children it has waited for. */
static unsigned long ticks_of(int64_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	long reaped_user = 0, reaped_system = 0;
	const char *rest;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	read_all(path, text, sizeof(text));
	rest = strrchr(text, ')'); /* the name may hold anything */
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &user,
		   &system, &reaped_user, &reaped_system) != 4)
		return 0;
	return user + system + (unsigned long)(reaped_user + reaped_system);
}

static unsigned long ticks_of_tree(int64_t pid, int depth)
{
	char path[64], text[8192];
	unsigned long sum = ticks_of(pid);
	char *at = text, *end;

	snprintf(path, sizeof(path), "/proc/%lld/task/%lld/children", (long long)pid,
		 (long long)pid);
	read_all(path, text, sizeof(text));
	for (long child; depth < MAX_DEPTH && (child = strtol(at, &end, 10)) > 0; at = end)
		sum += ticks_of_tree(child, depth + 1);
	return sum;
}

static nsec time_of(int64_t server)
{
	if (server <= 0)
		return 0;
	return (nsec)ticks_of_tree(server, 0) * NSEC_PER_SEC / (nsec)sysconf(_SC_CLK_TCK);
}

void meter_start(struct meter *meter, int64_t server)
{
	*meter = (struct meter){
		.server = server,
		.own = own_time(),
		.others = time_of(server),
		.wall = clock_now(),
	};
}

void meter_print(const struct meter *meter, const char *name, size_t jobs)
{
	double wall = (double)(clock_now() - meter->wall);
	double own = (double)(own_time() - meter->own);
	double others = (double)(time_of(meter->server) - meter->others);
	double each = (double)jobs * (double)NSEC_PER_USEC;

	printf("%-16s %8.2f %8.2f %9.0f\n", name, own / each, others / each,
	       (double)jobs * (double)NSEC_PER_SEC / wall);
	fflush(stdout);
}
