/*
 * Who is to be woken when: a heap of appointments embedded in their owners.
 *
 *	c->wake.owner = c;
 *	agenda_add(&agenda, &c->wake, now + latency);
 *	while ((next = agenda_next(&agenda)) != NULL && next->at <= now)
 *		agenda_remove(&agenda, next);
 */
#ifndef SIMULATOR_AGENDA_H
#define SIMULATOR_AGENDA_H

#include <stddef.h>

#include "clock.h"

struct appointment {
	void *owner;
	nsec at;
	size_t place; /* 1-based; 0: in no agenda */
};

struct agenda {
	struct appointment **heap; /* 1-based */
	size_t count, capacity;
};

void agenda_add(struct agenda *agenda, struct appointment *a, nsec at);
void agenda_remove(struct agenda *agenda, struct appointment *a); /* nothing if it is in none */
struct appointment *agenda_next(const struct agenda *agenda);	  /* the earliest; NULL: none */
void agenda_finish(struct agenda *agenda);

#endif
