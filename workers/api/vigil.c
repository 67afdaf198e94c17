#include "vigil.h"

#include <stdlib.h>

#include "ensure.h"

#define LOOK_EVERY (200 * NSEC_PER_MSEC)

struct vigil {
	struct api *api;
	struct exchange **waiting;
	size_t count;
	nsec look_at;
	bool looking;
};

struct vigil *vigil_create(struct api *api)
{
	struct vigil *vigil = xcalloc(1, sizeof(*vigil));

	vigil->api = api;
	return vigil;
}

void vigil_destroy(struct vigil *vigil)
{
	if (!vigil)
		return;
	free(vigil->waiting);
	free(vigil);
}

void vigil_keep(struct vigil *vigil, struct exchange *x)
{
	vigil->waiting = xrealloc(vigil->waiting, (vigil->count + 1) * sizeof(struct exchange *));
	vigil->waiting[vigil->count++] = x;
}

static void let_go(struct vigil *vigil, size_t i)
{
	struct exchange *x = vigil->waiting[i];

	vigil->waiting[i] = vigil->waiting[--vigil->count];
	vigil_over(x);
}

static void looked(struct api *api, void *owner, struct pg_answer *answer)
{
	struct vigil *vigil = owner;

	(void)api;
	vigil->looking = false;
	for (int row = 0; answer->rows && row < pg_count(answer->rows); row++) {
		struct uuid id = pg_get_uuid(answer->rows, row, 0);

		for (size_t i = vigil->count; i-- > 0;)
			if (uuid_equal(&vigil->waiting[i]->job_id, &id))
				let_go(vigil, i);
	}
}

static void look(struct vigil *vigil, nsec now)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);

	for (size_t i = 0; i < vigil->count; i++)
		pg_push_uuid(args, ids, &vigil->waiting[i]->job_id);
	vigil->look_at = now + LOOK_EVERY;
	vigil->looking = api_ask(vigil->api, API_READS, "ended", args, looked, vigil);
}

void vigil_run(struct vigil *vigil, nsec now)
{
	for (size_t i = vigil->count; i-- > 0;)
		if (now >= vigil->waiting[i]->wait_until || vigil->api->stop_at)
			let_go(vigil, i);
	if (vigil->count > 0 && !vigil->looking && now >= vigil->look_at)
		look(vigil, now);
}

nsec vigil_wake_at(const struct vigil *vigil)
{
	return vigil->count > 0 && !vigil->looking ? vigil->look_at : UINT64_MAX;
}
