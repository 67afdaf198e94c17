#include "socket_set.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static bool stirs(struct socket_set *set)
{
	struct pollfd fd = {.fd = socket_set_fd(set), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void make_pair(int pair[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void poke(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

START_TEST(a_wanted_socket_is_told_when_ready)
{
	struct socket_set *set = socket_set_create();
	struct ready_socket ready[4];
	int pair[2];

	make_pair(pair);
	socket_set_opened(set, pair[0]);
	socket_set_want(set, pair[0], SOCKET_READ);
	ck_assert_uint_eq(socket_set_ready(set, ready, 4), 0);
	poke(pair[1]);
	ck_assert(stirs(set));
	ck_assert_uint_eq(socket_set_ready(set, ready, 4), 1);
	ck_assert_int_eq(ready[0].fd, pair[0]);
	ck_assert(ready[0].readable && !ready[0].writable && !ready[0].broken);
	socket_set_want(set, pair[0], SOCKET_READ | SOCKET_WRITE);
	ck_assert_uint_eq(socket_set_ready(set, ready, 4), 1);
	ck_assert(ready[0].readable && ready[0].writable);
	socket_set_destroy(set);
}
END_TEST

START_TEST(an_unwanted_socket_wakes_at_most_once_and_can_be_wanted_again)
{
	struct socket_set *set = socket_set_create();
	struct ready_socket ready[4];
	int pair[2];

	make_pair(pair);
	socket_set_opened(set, pair[0]);
	socket_set_want(set, pair[0], SOCKET_READ);
	socket_set_want(set, pair[0], 0);
	poke(pair[1]);
	ck_assert_uint_eq(socket_set_ready(set, ready, 4), 0);
	ck_assert(!stirs(set));
	socket_set_want(set, pair[0], SOCKET_READ);
	ck_assert_uint_eq(socket_set_ready(set, ready, 4), 1);
	socket_set_destroy(set);
}
END_TEST

/* A library may close a helper's socket without telling; the number comes back as another. */
START_TEST(a_number_used_again_is_followed_again)
{
	struct socket_set *set = socket_set_create();
	struct ready_socket ready[4];
	int pair[2], number;

	for (int round = 0; round < 4; round++) {
		make_pair(pair);
		number = pair[0];
		if (round % 2 == 0)
			socket_set_opened(set, number);
		socket_set_want(set, number, SOCKET_READ);
		poke(pair[1]);
		ck_assert_msg(socket_set_ready(set, ready, 4) == 1, "round %d", round);
		socket_set_want(set, number, 0);
		if (round % 2 == 0)
			socket_set_closed(set, number);
		close(pair[0]);
		close(pair[1]);
	}
	socket_set_destroy(set);
}
END_TEST

UNIT_TESTS(socket_set, a_wanted_socket_is_told_when_ready,
	   an_unwanted_socket_wakes_at_most_once_and_can_be_wanted_again,
	   a_number_used_again_is_followed_again)
