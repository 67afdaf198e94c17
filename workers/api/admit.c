#include "admit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "shard.h"
#include "store_change.h"

#define GROUP 100
#define GROUP_BYTES ((size_t)4 << 20)
#define GROUPS_OPEN 2
#define KEY_TEXT 160

struct group {
	struct admit *admit;
	struct admission *items[GROUP]; /* sorted by job id, each id once */
	size_t count;
};

struct admit {
	struct api *api;
	struct admission *first, **end;
	size_t open;
};

struct admit *admit_create(struct api *api)
{
	struct admit *admit = xcalloc(1, sizeof(*admit));

	admit->api = api;
	admit->end = &admit->first;
	return admit;
}

void admit_destroy(struct admit *admit)
{
	free(admit);
}

void admit_add(struct admit *admit, struct admission *admission)
{
	admission->next = NULL;
	*admit->end = admission;
	admit->end = &admission->next;
}

bool admit_is_empty(const struct admit *admit)
{
	return !admit->first && admit->open == 0;
}

static void tell(struct admission *admission, enum admission_result result)
{
	admission->result = result;
	admission->told(admission);
}

static void fail(struct admission *admission, const struct error *err)
{
	admission->err = *err;
	tell(admission, ADMISSION_FAILED);
}

/* --- the message --- */

/*
 * Of few keys a unit: so its thin messages lie on few partitions, whoever
 * publishes them, as shuffle sharding wants it (shard.h).
 */
static const char *move_key(char key[KEY_TEXT], const struct admission *a)
{
	snprintf(key, KEY_TEXT, "%s/%d", a->parcel.business_unit,
		 a->parcel.id.bytes[15] % SHARD_SPREAD);
	return key;
}

static void publish(struct admit *admit, const struct admission *a)
{
	AUTO(xfree) char *message = job_thin_message(&a->parcel.id, 0, 0);
	AUTO_FINISH(buffer_finish) struct buffer headers = {0};
	char key[KEY_TEXT];
	struct move move = {
		.event_id = job_event_id(&a->parcel.id, 0, 0, "move", a->parcel.topic),
		.topic = a->parcel.topic,
		.key = move_key(key, a),
		.message = message,
	};

	store_move_headers(&headers, &move.event_id, 0, a->headers);
	move.headers = headers.data;
	dispatch_move(admit->api->dispatch, &move);
}

/* --- the statement --- */

/* Arrays of submit.sql, in the order of its parameters. */
/* It cannot make up its mind about so long a list. */
/* clang-format off */
#define COLUMNS(X)                                                               \
	X(id, UUID) X(tier, TEXT) X(lane, TEXT) X(fingerprint, BYTES)            \
	X(unit, TEXT) X(free_plan, BOOL) X(feature, TEXT) X(environment, TEXT)   \
	X(usage_tier, TEXT) X(user, TEXT) X(task, TEXT) X(prompt_name, TEXT)     \
	X(prompt_version, TEXT) X(headers, TEXT) X(body, BYTES) X(event, UUID)   \
	X(topic, TEXT) X(key, TEXT) X(message_headers, TEXT) X(message, BYTES)
/* clang-format on */

struct columns {
	struct pg_args *args;
#define COLUMN(name, type) int name;
	COLUMNS(COLUMN)
#undef COLUMN
};

static struct columns open_columns(void)
{
	struct columns c = {.args = pg_args_create()};

#define COLUMN(name, type) c.name = pg_array(c.args, PG_##type);
	COLUMNS(COLUMN)
#undef COLUMN
	return c;
}

static void push_job(const struct columns *c, const struct admission *a)
{
	const struct parcel *parcel = &a->parcel;
	const struct job *job = parcel->job;

	pg_push_uuid(c->args, c->id, &parcel->id);
	pg_push_string(c->args, c->tier, parcel->tier->name);
	pg_push_string(c->args, c->lane, lane_name(parcel->lane));
	pg_push_bytes(c->args, c->fingerprint, job->fingerprint.bytes, DIGEST_BYTES);
	pg_push_string(c->args, c->unit, job->business_unit);
	pg_push_bool(c->args, c->free_plan, job->free_plan);
	pg_push_string(c->args, c->feature, job->feature);
	pg_push_string(c->args, c->environment, job->environment);
	pg_push_string(c->args, c->usage_tier, job->usage_tier);
	pg_push_string(c->args, c->user, job->user);
	pg_push_string(c->args, c->task, job->task);
	pg_push_string(c->args, c->prompt_name, job->prompt_name);
	pg_push_string(c->args, c->prompt_version, job->prompt_version);
	pg_push_string(c->args, c->headers, a->headers);
	pg_push_bytes(c->args, c->body, parcel->bytes.data, parcel->bytes.len);
}

static void push_move(const struct columns *c, const struct admission *a)
{
	AUTO(xfree) char *message = job_thin_message(&a->parcel.id, 0, 0);
	AUTO_FINISH(buffer_finish) struct buffer headers = {0};
	struct uuid event_id = job_event_id(&a->parcel.id, 0, 0, "move", a->parcel.topic);
	char key[KEY_TEXT];

	store_move_headers(&headers, &event_id, 0, a->headers);
	pg_push_uuid(c->args, c->event, &event_id);
	pg_push_string(c->args, c->topic, a->parcel.topic);
	pg_push_string(c->args, c->key, move_key(key, a));
	pg_push_string(c->args, c->message_headers, headers.data);
	pg_push_bytes(c->args, c->message, message, strlen(message));
}

/* --- what stood in the way --- */

enum { STANDING_ID, STANDING_UNIT, STANDING_FINGERPRINT, STANDING_STATE };

static enum admission_result compare(struct admission *a, const struct pg_rows *rows, int row)
{
	const char *unit = pg_get_text(rows, row, STANDING_UNIT);
	size_t len;
	const char *fingerprint = pg_get_bytes(rows, row, STANDING_FINGERPRINT, &len);

	if (*unit && strcmp(unit, a->parcel.business_unit) != 0)
		return ADMISSION_TAKEN;
	if (len != DIGEST_BYTES)
		return ADMISSION_TAKEN; /* cancelled before anybody saw it */
	memcpy(a->standing.bytes, fingerprint, len);
	return digest_equal(&a->standing, &a->parcel.job->fingerprint) ? ADMISSION_SAME
								       : ADMISSION_CONFLICT;
}

static void close_group(struct group *group)
{
	group->admit->open--;
	free(group);
}

static int find_row(const struct pg_rows *rows, const struct uuid *id)
{
	for (int row = 0; row < pg_count(rows); row++) {
		struct uuid there = pg_get_uuid(rows, row, 0);

		if (uuid_equal(&there, id))
			return row;
	}
	return -1;
}

static void told_standing(struct api *api, void *owner, struct pg_answer *answer)
{
	struct group *group = owner;

	(void)api;
	for (size_t i = 0; i < group->count; i++) {
		struct admission *a = group->items[i];
		int row = answer->rows ? find_row(answer->rows, &a->parcel.id) : -1;

		if (row < 0)
			fail(a, &answer->error);
		else
			tell(a, compare(a, answer->rows, row));
	}
	close_group(group);
}

static void ask_standing(struct group *group)
{
	struct pg_args *args = pg_args_create();
	int ids = pg_array(args, PG_UUID);
	struct error err;

	for (size_t i = 0; i < group->count; i++)
		pg_push_uuid(args, ids, &group->items[i]->parcel.id);
	if (api_ask(group->admit->api, API_WRITES, "standing", args, told_standing, group))
		return;
	error_set(&err, ERROR_RETRY, "the database is away");
	for (size_t i = 0; i < group->count; i++)
		fail(group->items[i], &err);
	close_group(group);
}

/* --- groups --- */

/* A bad row fails its whole group: each of them is tried alone then. */
static void group_failed(struct group *group, const struct error *err)
{
	for (size_t i = 0; i < group->count; i++) {
		struct admission *a = group->items[i];

		if (err->kind == ERROR_REJECT && group->count > 1) {
			a->alone = true;
			admit_add(group->admit, a);
		} else {
			fail(a, err);
		}
	}
	close_group(group);
}

static void told_group(struct api *api, void *owner, struct pg_answer *answer)
{
	struct group *group = owner;
	size_t left = 0;

	(void)api;
	if (!answer->rows) {
		group_failed(group, &answer->error);
		return;
	}
	FAILPOINT("R01");
	for (size_t i = 0; i < group->count; i++)
		if (find_row(answer->rows, &group->items[i]->parcel.id) >= 0)
			publish(group->admit, group->items[i]);
	FAILPOINT("R02");
	for (size_t i = 0; i < group->count; i++) {
		struct admission *a = group->items[i];

		if (find_row(answer->rows, &a->parcel.id) >= 0)
			tell(a, ADMISSION_NEW);
		else
			group->items[left++] = a;
	}
	group->count = left;
	if (left > 0)
		ask_standing(group);
	else
		close_group(group);
}

static bool is_in(const struct group *group, const struct uuid *id)
{
	for (size_t i = 0; i < group->count; i++)
		if (uuid_equal(&group->items[i]->parcel.id, id))
			return true;
	return false;
}

/* Those at the front that fit one statement; a second one of an id waits for the next group. */
static struct group *take_group(struct admit *admit)
{
	struct group *group = xcalloc(1, sizeof(*group));
	struct admission **link = &admit->first;
	size_t bytes = 0;

	group->admit = admit;
	while (*link && group->count < GROUP && bytes < GROUP_BYTES) {
		struct admission *a = *link;

		if (is_in(group, &a->parcel.id) || (a->alone && group->count > 0)) {
			link = &a->next;
			continue;
		}
		*link = a->next;
		group->items[group->count++] = a;
		bytes += a->parcel.bytes.len;
		if (a->alone)
			break;
	}
	for (admit->end = &admit->first; *admit->end;)
		admit->end = &(*admit->end)->next;
	return group;
}

static int by_id(const void *a, const void *b)
{
	const struct admission *const *x = a, *const *y = b;

	return uuid_compare(&(*x)->parcel.id, &(*y)->parcel.id);
}

static void send_group(struct admit *admit)
{
	struct group *group = take_group(admit);
	struct columns columns = open_columns();
	struct error err;

	qsort(group->items, group->count, sizeof(group->items[0]), by_id);
	for (size_t i = 0; i < group->count; i++) {
		push_job(&columns, group->items[i]);
		push_move(&columns, group->items[i]);
	}
	admit->open++;
	if (api_ask(admit->api, API_WRITES, "submit", columns.args, told_group, group))
		return;
	error_set(&err, ERROR_RETRY, "the database is away");
	group_failed(group, &err);
}

void admit_run(struct admit *admit)
{
	while (admit->first && admit->open < GROUPS_OPEN)
		send_group(admit);
}
