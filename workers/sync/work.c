#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

#define SHORT_FOR NSEC_PER_SEC
#define SHORTEST_WAIT (100 * NSEC_PER_MSEC) /* that is worth telling */

static void list_add(struct work_list *list, struct work *work)
{
	work->previous = list->last;
	work->next = NULL;
	*(list->last ? &list->last->next : &list->first) = work;
	list->last = work;
	list->count++;
}

static void list_remove(struct work_list *list, struct work *work)
{
	*(work->previous ? &work->previous->next : &list->first) = work->next;
	*(work->next ? &work->next->previous : &list->last) = work->previous;
	list->count--;
}

static struct work **bucket_of(struct works *works, const struct uuid *id)
{
	uint64_t hash;

	memcpy(&hash, id->bytes + 8, sizeof(hash)); /* random in every kind of id we take */
	return &works->buckets[(hash ^ hash >> 32) % COUNT_OF(works->buckets)];
}

void works_init(struct works *works, const struct config *config)
{
	works->line_count = config->tier_count;
	works->lines = xcalloc(config->tier_count, sizeof(*works->lines));
	for (size_t i = 0; i < works->line_count; i++)
		works->lines[i].queue = fair_queue_create((unsigned)config->worker.normal_share);
}

void works_finish(struct works *works)
{
	for (size_t i = 0; i < works->line_count; i++) {
		ENSURE(fair_queue_count(works->lines[i].queue) == 0);
		fair_queue_destroy(works->lines[i].queue);
	}
	free(works->lines);
}

static struct fair_queue *line_of(struct works *works, const struct work *work)
{
	ENSURE(work->tier->rank < works->line_count);
	return works->lines[work->tier->rank].queue;
}

static void line_up(struct works *works, struct work *work)
{
	work->turn.unit = work->job->business_unit ? work->job->business_unit : "";
	work->turn.express = work->lane == LANE_EXPRESS;
	work->turn.free_plan = work->job->free_plan;
	fair_queue_add(line_of(works, work), &work->turn);
}

static void leave_line(struct works *works, struct work *work)
{
	if (work->turn.flow)
		fair_queue_remove(line_of(works, work), &work->turn);
}

struct work *work_next(const struct work_line *line)
{
	struct fair_turn *turn = fair_queue_next(line->queue);

	return turn ? HEAP_OWNER(turn, struct work, turn) : NULL;
}

void work_take(struct works *works, struct work *work)
{
	fair_queue_take(line_of(works, work), &work->turn);
}

bool work_line_is_short(const struct work_line *line, nsec now)
{
	return now < line->paused_until + SHORT_FOR;
}

size_t works_stalled(const struct works *works, nsec now)
{
	size_t count = 0;

	for (size_t i = 0; i < works->line_count; i++)
		if (work_line_is_short(&works->lines[i], now))
			count += fair_queue_count(works->lines[i].queue);
	return count;
}

void works_resume(struct works *works, nsec now)
{
	for (size_t i = 0; i < works->line_count; i++)
		if (works->lines[i].paused_until > now)
			works->lines[i].paused_until = now;
}

struct work *work_create(struct works *works, struct job *job, char *bytes, size_t len,
			 char *headers)
{
	struct work *work = xcalloc(1, sizeof(*work));

	work->state = WORK_CLAIMING;
	work->job = job;
	work->bytes = bytes;
	work->len = len;
	work->weight = len;
	work->headers = headers;
	memo_read(&work->memo, "");
	list_add(&works->lists[WORK_CLAIMING], work);
	return work;
}

static void unhold(struct works *works, struct work *work)
{
	for (struct work **link = bucket_of(works, &work->job->id); *link;
	     link = &(*link)->bucket_next) {
		if (*link != work)
			continue;
		*link = work->bucket_next;
		works->held--;
		return;
	}
}

void work_destroy(struct works *works, struct work *work)
{
	if (!work)
		return;
	ENSURE(!work->counted && !work->call);
	list_remove(&works->lists[work->state], work);
	leave_line(works, work);
	unhold(works, work);
	memo_finish(&work->memo);
	contract_release(work->contract);
	job_destroy(work->job);
	free(work->bytes);
	free(work->headers);
	free(work->body);
	free(work->repair_answer);
	free(work->repair_note);
	free(work);
}

#define TO(state) (1u << WORK_##state)

static const unsigned next_states[] = {
	[WORK_CLAIMING] = TO(RECALLING) | TO(READY) | TO(CALLING) | TO(SETTLING),
	[WORK_RECALLING] = TO(READY) | TO(SETTLING),
	[WORK_READY] = TO(INTENDING) | TO(WAITING) | TO(SETTLING),
	[WORK_INTENDING] = TO(CALLING) | TO(READY) | TO(SETTLING),
	[WORK_CALLING] = TO(SETTLING),
	[WORK_SETTLING] = TO(READY) | TO(WAITING),
	[WORK_WAITING] = TO(READY) | TO(SETTLING),
};

void work_move(struct works *works, struct work *work, enum work_state to)
{
	ENSURE(next_states[work->state] & (1u << to));
	list_remove(&works->lists[work->state], work);
	leave_line(works, work);
	work->state = to;
	list_add(&works->lists[to], work);
	if (to == WORK_READY)
		line_up(works, work);
}

void work_waits(struct work *work, const char *reason, nsec wait)
{
	if (work->waits_for && wait <= work->waits_most)
		return;
	work->waits_for = reason;
	work->waits_most = wait;
}

/* Without a wait of its own it waited with its line, or for its turn. */
void work_tell_wait(struct work *work, const struct work_line *line, nsec now)
{
	nsec waited = now - work->idle_since;
	const char *with_all = line->paused_until > work->idle_since ? line->paused_for : "turn";

	if (waited >= SHORTEST_WAIT) {
		work->intent.waited_ms = (int)(waited / NSEC_PER_MSEC);
		work->intent.waited_for = work->waits_for ? work->waits_for : with_all;
	}
	work->waits_for = NULL;
}

void work_hold(struct works *works, struct work *work)
{
	struct work **bucket = bucket_of(works, &work->job->id);

	work->bucket_next = *bucket;
	*bucket = work;
	works->held++;
}

struct work *work_find(const struct works *works, const struct uuid *job_id)
{
	struct work *work = *bucket_of((struct works *)works, job_id);

	while (work && !uuid_equal(&work->job->id, job_id))
		work = work->bucket_next;
	return work;
}

size_t works_in(const struct works *works, enum work_state state)
{
	return works->lists[state].count;
}

const char *work_state_name(enum work_state state)
{
	static const char *const names[] = {
#define WORK_STATE(name) [WORK_##name] = #name,
		WORK_STATES(WORK_STATE)
#undef WORK_STATE
	};

	return names[state];
}
