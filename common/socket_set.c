#include "socket_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ensure.h"

#define EVENTS_AT_ONCE 256

struct followed {
	unsigned wanted;     /* now: EPOLLIN, EPOLLOUT */
	unsigned registered; /* with epoll; may be more than wanted */
	bool announced;	     /* its closing will be told */
};

struct socket_set {
	int epoll;
	struct followed *sockets; /* by descriptor */
	size_t count;
};

struct socket_set *socket_set_create(void)
{
	struct socket_set *set = xcalloc(1, sizeof(*set));

	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	ENSURE(set->epoll >= 0);
	return set;
}

void socket_set_destroy(struct socket_set *set)
{
	if (!set)
		return;
	close(set->epoll);
	free(set->sockets);
	free(set);
}

static struct followed *find(struct socket_set *set, int fd)
{
	size_t index = (size_t)fd, count = set->count;

	ENSURE(fd >= 0);
	if (index >= count) {
		count = index + 64;
		set->sockets = xrealloc(set->sockets, count * sizeof(*set->sockets));
		memset(set->sockets + set->count, 0, (count - set->count) * sizeof(*set->sockets));
		set->count = count;
	}
	return &set->sockets[index];
}

static void register_with_epoll(struct socket_set *set, int fd, struct followed *s, unsigned events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	bool known = s->registered;

	s->registered = events;
	if (!events) {
		epoll_ctl(set->epoll, EPOLL_CTL_DEL, fd, NULL); /* may be closed already */
		return;
	}
	if (known && epoll_ctl(set->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
		return;
	ENSURE(epoll_ctl(set->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

void socket_set_opened(struct socket_set *set, int fd)
{
	*find(set, fd) = (struct followed){.announced = true};
}

void socket_set_closed(struct socket_set *set, int fd)
{
	*find(set, fd) = (struct followed){0}; /* closing takes it out of epoll */
}

void socket_set_want(struct socket_set *set, int fd, unsigned interest)
{
	struct followed *s = find(set, fd);

	s->wanted = (interest & SOCKET_READ ? (unsigned)EPOLLIN : 0) |
		    (interest & SOCKET_WRITE ? (unsigned)EPOLLOUT : 0);
	if (s->wanted != s->registered && (s->wanted || !s->announced))
		register_with_epoll(set, fd, s, s->wanted);
}

int socket_set_fd(const struct socket_set *set)
{
	return set->epoll;
}

/* Something of a socket nobody wants: take it out, or it would wake us for ever. */
static bool is_wanted(struct socket_set *set, int fd)
{
	struct followed *s = find(set, fd);

	if (!s->wanted && s->registered)
		register_with_epoll(set, fd, s, 0);
	return s->wanted;
}

size_t socket_set_ready(struct socket_set *set, struct ready_socket *ready, size_t most)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int limit = most < EVENTS_AT_ONCE ? (int)most : EVENTS_AT_ONCE;
	int count = epoll_wait(set->epoll, events, limit, 0);
	size_t found = 0;

	for (int i = 0; i < count; i++)
		if (is_wanted(set, events[i].data.fd))
			ready[found++] = (struct ready_socket){
				.fd = events[i].data.fd,
				.readable = events[i].events & EPOLLIN,
				.writable = events[i].events & EPOLLOUT,
				.broken = events[i].events & (EPOLLERR | EPOLLHUP),
			};
	return found;
}
