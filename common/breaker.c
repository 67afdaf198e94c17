#include "breaker.h"

#include <string.h>

#include "ensure.h"

#define WAIT_FOR_GRANT (NSEC_PER_SEC / 4)

void breaker_init(struct breaker *b, const struct breaker_rules *rules)
{
	ENSURE(rules->share > 0 && rules->window >= BREAKER_SLICES && rules->probe_after > 0);
	*b = (struct breaker){.rules = *rules};
}

static uint64_t slice_number(const struct breaker *b, nsec now)
{
	return now / (b->rules.window / BREAKER_SLICES);
}

static struct breaker_slice *slice_of(struct breaker *b, nsec now)
{
	uint64_t number = slice_number(b, now);
	struct breaker_slice *slice = &b->slices[number % BREAKER_SLICES];

	if (slice->number != number)
		*slice = (struct breaker_slice){.number = number};
	return slice;
}

static bool has_failed_too_often(const struct breaker *b, nsec now)
{
	uint64_t number = slice_number(b, now);
	double calls = 0;
	double failures = 0;

	for (size_t i = 0; i < BREAKER_SLICES; i++) {
		if (b->slices[i].number + BREAKER_SLICES <= number)
			continue; /* has slid out of the window */
		calls += b->slices[i].calls;
		failures += b->slices[i].failures;
	}
	return failures > 0 && calls >= b->rules.min_calls && failures >= calls * b->rules.share;
}

static void open_for(struct breaker *b, nsec wait, nsec now)
{
	nsec longest = b->rules.probe_after * BREAKER_LONGEST_WAIT;

	b->state = BREAKER_OPEN;
	b->wait = wait < longest ? wait : longest;
	b->until = now + b->wait;
	b->opened++;
}

static void close_again(struct breaker *b)
{
	b->state = BREAKER_CLOSED;
	b->wait = 0;
	memset(b->slices, 0, sizeof(b->slices));
}

bool breaker_allows(const struct breaker *b, nsec now)
{
	if (b->state != BREAKER_OPEN)
		return b->state == BREAKER_CLOSED;
	return now >= b->until && (!b->is_shared || now < b->granted_until);
}

nsec breaker_wait(const struct breaker *b, nsec now)
{
	if (b->state == BREAKER_HALF_OPEN)
		return b->rules.probe_after;
	if (breaker_allows(b, now))
		return 0;
	return now < b->until ? b->until - now : WAIT_FOR_GRANT;
}

bool breaker_start(struct breaker *b, nsec now)
{
	ENSURE(breaker_allows(b, now));
	if (b->state == BREAKER_CLOSED)
		return false;
	b->state = BREAKER_HALF_OPEN;
	return true;
}

static void record_probe(struct breaker *b, bool failed, nsec now)
{
	if (b->state != BREAKER_HALF_OPEN)
		return; /* tripped meanwhile */
	if (failed)
		open_for(b, b->wait * 2, now);
	else
		close_again(b);
}

void breaker_record(struct breaker *b, bool probe, bool failed, nsec now)
{
	struct breaker_slice *slice;

	if (probe) {
		record_probe(b, failed, now);
		return;
	}
	if (b->state != BREAKER_CLOSED)
		return;
	slice = slice_of(b, now);
	slice->calls++;
	slice->failures += failed;
	if (failed && has_failed_too_often(b, now))
		open_for(b, b->rules.probe_after, now);
}

void breaker_release(struct breaker *b, bool probe, nsec now)
{
	if (!probe || b->state != BREAKER_HALF_OPEN)
		return;
	b->state = BREAKER_OPEN;
	b->until = now;
}

void breaker_trip(struct breaker *b, nsec now)
{
	if (b->state == BREAKER_CLOSED)
		open_for(b, b->rules.probe_after, now);
	else if (b->state == BREAKER_HALF_OPEN)
		open_for(b, b->wait * 2, now);
}

/* --- sharing --- */

static enum breaker_word word_of(const struct breaker *b, nsec now)
{
	if (b->state == BREAKER_CLOSED)
		return b->is_shared ? BREAKER_SAYS_CLOSED : BREAKER_SAYS_NOTHING;
	if (b->opened != b->told)
		return BREAKER_SAYS_OPEN;
	if (b->state == BREAKER_HALF_OPEN)
		return BREAKER_ASKS; /* to keep the grant while the probe is out */
	return now >= b->until && now >= b->granted_until ? BREAKER_ASKS : BREAKER_SAYS_NOTHING;
}

enum breaker_word breaker_tell(struct breaker *b, nsec now)
{
	b->asked_state = b->state;
	b->asked_opened = b->opened;
	return word_of(b, now);
}

static void follow(struct breaker *b, const struct breaker_row *row, nsec asked, nsec now)
{
	b->is_shared = true;
	if (b->state == BREAKER_HALF_OPEN)
		return; /* our own probe will tell */
	if (b->state == BREAKER_CLOSED)
		b->wait = b->rules.probe_after;
	b->state = BREAKER_OPEN;
	b->until = now + row->left;
	b->granted_until = row->mine ? asked + BREAKER_GRANT : 0;
}

void breaker_hear(struct breaker *b, const struct breaker_row *row, nsec asked, nsec now)
{
	if (b->state != b->asked_state || b->opened != b->asked_opened)
		return; /* the row has not heard of this yet */
	b->told = b->opened;
	if (row->open) {
		follow(b, row, asked, now);
		return;
	}
	b->is_shared = false;
	b->granted_until = 0;
	if (b->state == BREAKER_OPEN)
		close_again(b); /* another's probe has succeeded */
}

const char *breaker_word_name(enum breaker_word word)
{
	static const char *const names[] = {
		[BREAKER_SAYS_NOTHING] = "",
		[BREAKER_SAYS_OPEN] = "open",
		[BREAKER_SAYS_CLOSED] = "closed",
		[BREAKER_ASKS] = "probe",
	};

	return names[word];
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half_open",
	};

	return names[state];
}
