#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

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
	[WORK_CLAIMING] = TO(READY) | TO(CALLING) | TO(SETTLING),
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
	work->state = to;
	list_add(&works->lists[to], work);
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
