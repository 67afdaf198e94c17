#include "web_patience.h"

static void list(struct patience *p, struct patience_wait *w, nsec now)
{
	patience_rest(p, w);
	w->since = now;
	w->listed = true;
	w->next = NULL;
	w->previous = p->last;
	if (p->last)
		p->last->next = w;
	else
		p->first = w;
	p->last = w;
}

void patience_await(struct patience *p, struct patience_wait *w, nsec now)
{
	list(p, w, now);
	w->bytes = 0;
	w->sending = false;
}

void patience_moved(struct patience_wait *w, size_t bytes)
{
	w->bytes += bytes;
}

void patience_send(struct patience *p, struct patience_wait *w, size_t bytes, nsec now)
{
	list(p, w, now);
	w->bytes = bytes;
	w->sending = true;
}

void patience_rest(struct patience *p, struct patience_wait *w)
{
	if (!w->listed)
		return;
	w->listed = false;
	if (w->previous)
		w->previous->next = w->next;
	else
		p->first = w->next;
	if (w->next)
		w->next->previous = w->previous;
	else
		p->last = w->previous;
}

static nsec waited(const struct patience_wait *w, nsec now)
{
	return now > w->since ? now - w->since : 0;
}

static bool is_overdue(const struct patience *p, const struct patience_wait *w, nsec now)
{
	return waited(w, now) >
	       p->idle + (nsec)(w->bytes / PATIENCE_BYTES_PER_SECOND) * NSEC_PER_SEC;
}

/* The list is by the time waited: behind one that came within `idle` nobody is overdue. */
struct patience_wait *patience_overdue(const struct patience *p, nsec now)
{
	for (struct patience_wait *w = p->first; w && waited(w, now) > p->idle; w = w->next)
		if (is_overdue(p, w, now))
			return w;
	return NULL;
}

struct patience_wait *patience_longest(const struct patience *p, nsec now)
{
	struct patience_wait *with_body = NULL;

	for (struct patience_wait *w = p->first; w && waited(w, now) > PATIENCE_LEAST;
	     w = w->next) {
		if (w->sending)
			continue;
		if (w->bytes == 0)
			return w;
		if (!with_body)
			with_body = w;
	}
	return with_body;
}
