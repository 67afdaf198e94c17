#include "looks.h"

#include <stdlib.h>

#include "ensure.h"

#define GROUP 100
#define GROUPS_OPEN 2 /* one is read while the next is looked up */

struct look {
	struct exchange *x;
	looks_then *then;
};

struct group {
	struct looks *looks;
	size_t count;
	struct look items[GROUP];
};

struct looks {
	struct api *api;
	struct group *next; /* is filled; NULL: nobody has asked */
	size_t open;
};

struct looks *looks_create(struct api *api)
{
	struct looks *looks = xcalloc(1, sizeof(*looks));

	looks->api = api;
	return looks;
}

void looks_destroy(struct looks *looks)
{
	if (!looks)
		return;
	free(looks->next);
	free(looks);
}

static int find(const struct pg_rows *rows, const struct uuid *id)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid there = pg_get_uuid(rows, row, 0);

		if (uuid_equal(&there, id))
			return row;
	}
	return -1;
}

static void looked(struct api *api, void *owner, struct pg_answer *answer)
{
	struct group *group = owner;

	(void)api;
	group->looks->open--;
	for (size_t i = 0; i < group->count; i++) {
		struct look *look = &group->items[i];

		if (answer->rows)
			look->then(look->x, answer->rows, find(answer->rows, &look->x->job_id));
		else
			exchange_trouble(look->x, &answer->error);
	}
	free(group);
}

static void send_group(struct looks *looks)
{
	struct group *group = TAKE(looks->next);
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);
	struct pg_answer lost = {0};

	for (size_t i = 0; i < group->count; i++)
		pg_push_uuid(args, ids, &group->items[i].x->job_id);
	looks->open++;
	if (api_ask(looks->api, API_READS, "job", args, looked, group))
		return;
	error_set(&lost.error, ERROR_RETRY, "the database is away");
	looked(looks->api, group, &lost);
}

void looks_ask(struct looks *looks, struct exchange *x, looks_then *then)
{
	struct group *group = looks->next;

	if (!group) {
		group = looks->next = xcalloc(1, sizeof(*group));
		group->looks = looks;
	}
	group->items[group->count++] = (struct look){x, then};
	if (group->count == GROUP)
		send_group(looks);
}

void looks_run(struct looks *looks)
{
	if (looks->next && looks->open < GROUPS_OPEN)
		send_group(looks);
}
