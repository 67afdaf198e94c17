/*
 * The sockets of a library that tells which of them it wants to hear about,
 * behind one descriptor to sleep on.
 *
 *	socket_set_opened(set, fd);
 *	socket_set_want(set, fd, SOCKET_READ);
 *	... sleep until socket_set_fd(set) is readable ...
 *	count = socket_set_ready(set, ready, COUNT_OF(ready));
 *	socket_set_closed(set, fd);             -- before it is closed
 *
 * Sockets are followed lazily: one that is not wanted any more stays registered
 * with epoll, and is only taken out if it stirs meanwhile. A kept connection
 * that is wanted again for the next call thus costs no system call. This needs
 * to hear of closing; a descriptor that was not announced by opened is
 * taken out at once.
 */
#ifndef SLUICE_SOCKET_SET_H
#define SLUICE_SOCKET_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

enum socket_interest { SOCKET_READ = 1, SOCKET_WRITE = 2 };

struct ready_socket {
	int fd;
	bool readable, writable, broken;
};

struct socket_set;

struct socket_set *socket_set_create(void);
void socket_set_destroy(struct socket_set *set); /* closes none of them */
AUTO_DEFINE(struct socket_set, socket_set_destroy)

void socket_set_opened(struct socket_set *set, int fd);
void socket_set_closed(struct socket_set *set, int fd);
void socket_set_want(struct socket_set *set, int fd, unsigned interest); /* 0: not now */

int socket_set_fd(const struct socket_set *set);

/* Sockets that are wanted and ready now, at most `most`; does not wait. */
size_t socket_set_ready(struct socket_set *set, struct ready_socket *ready, size_t most);

#endif
