#include "drill_look.h"

#include <stdio.h>
#include <string.h>

struct pg_rows *look(struct scene_state *s, const char *query, struct pg_args *args,
		     struct error *err)
{
	return session_ask(s->play->session, query, args, err);
}

bool now_there(struct scene_state *s, nsec *at, struct error *err)
{
	AUTO(pg_rows_destroy) struct pg_rows *rows = look(s, "doctor_clock", NULL, err);

	if (rows)
		*at = pg_get_time(rows, 0, 0);
	return rows != NULL;
}

static void push_ids(struct pg_args *args, int array, const struct ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		pg_push_uuid(args, array, &ids->ids[i]);
}

static bool is_at(const struct candidate *candidate, const struct pg_rows *rows, int row)
{
	return candidate && strcmp(candidate->endpoint->name, pg_get_text(rows, row, 0)) == 0 &&
	       strcmp(candidate->model, pg_get_text(rows, row, 1)) == 0;
}

const struct candidate *candidate_of(const struct tier *tier, const struct pg_rows *rows, int row)
{
	for (size_t c = 0; c < tier->candidate_count; c++)
		if (is_at(&tier->candidates[c], rows, row))
			return &tier->candidates[c];
	return NULL;
}

void keep_earliest(nsec *earliest, nsec at)
{
	if (at > 0 && (*earliest == 0 || at < *earliest))
		*earliest = at;
}

static void count_row(const struct scene_state *s, const struct pg_rows *rows, int row,
		      struct answers *answers)
{
	const struct candidate *candidate = candidate_of(s->scene->tier, rows, row);
	nsec first_at = pg_get_time(rows, row, 4);

	if (candidate && candidate == s->primary)
		keep_earliest(&answers->primary_at, first_at);
	if (candidate && drill_hits(&s->outage, candidate)) {
		answers->there += pg_get_int(rows, row, 2);
		answers->calls_there += pg_get_int(rows, row, 3);
		return;
	}
	answers->elsewhere += pg_get_int(rows, row, 2);
	keep_earliest(&answers->elsewhere_at, first_at);
}

struct pg_rows *look_at_calls(struct scene_state *s, const struct crowd *crowd, unsigned parts,
			      nsec since, struct error *err)
{
	struct pg_args *args = pg_args_create();
	int array = pg_array(args, PG_UUID);

	for (int part = 0; part < LOAD_PARTS; part++)
		if (parts & 1u << part)
			push_ids(args, array, &crowd->parts[part]);
	pg_string(args, s->scene->tier->name);
	pg_time(args, since);
	return look(s, "drill_calls", args, err);
}

bool look_at_answers(struct scene_state *s, const struct crowd *crowd, unsigned parts, nsec since,
		     struct answers *answers, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = look_at_calls(s, crowd, parts, since, err);

	for (int row = 0; rows && row < pg_count(rows); row++)
		count_row(s, rows, row, answers);
	return rows != NULL;
}

bool look_at_jobs(struct scene_state *s, const struct ids *ids, struct standing *standing,
		  struct error *err)
{
	struct pg_args *args = pg_args_create();
	int cheaper;

	push_ids(args, pg_array(args, PG_UUID), ids);
	cheaper = pg_array(args, PG_TEXT);
	for (size_t i = 0; i < s->scene->tier->rank; i++)
		pg_push_string(args, cheaper, s->play->session->config->tiers[i].name);
	AUTO(pg_rows_destroy) struct pg_rows *rows = look(s, "drill_jobs", args, err);
	if (!rows)
		return false;
	*standing = (struct standing){
		.sent = (int64_t)ids->count,
		.done = pg_get_int(rows, 0, 0),
		.dead = pg_get_int(rows, 0, 1),
		.fixed = pg_get_int(rows, 0, 2),
		.cheaper = pg_get_int(rows, 0, 3),
	};
	snprintf(standing->reasons, sizeof(standing->reasons), "%s", pg_get_text(rows, 0, 4));
	return true;
}

bool look_at_breakers(struct scene_state *s, struct opening *opening, struct error *err)
{
	const struct tier *tier = s->scene->tier;
	struct pg_args *args = pg_args_create();
	int providers = pg_array(args, PG_TEXT), credentials = pg_array(args, PG_TEXT),
	    models = pg_array(args, PG_TEXT);
	bool all = true;

	*opening = (struct opening){0};
	for (size_t c = 0; c < tier->candidate_count; c++) {
		const struct candidate *candidate = &tier->candidates[c];

		if (s->lasts && !drill_hits(&s->outage, candidate))
			continue;
		pg_push_string(args, providers, candidate->endpoint->name);
		pg_push_string(args, credentials, candidate->endpoint->credential);
		pg_push_string(args, models, candidate->model);
	}
	AUTO(pg_rows_destroy) struct pg_rows *rows = look(s, "drill_breakers", args, err);
	if (!rows)
		return false;
	for (int row = 0; row < pg_count(rows); row++) {
		nsec opened = pg_get_time(rows, row, 0), until = pg_get_time(rows, row, 1),
		     at = pg_get_time(rows, row, 2);

		all = all && opened > 0;
		opening->open += opened > 0;
		opening->opened = opened > opening->opened ? opened : opening->opened;
		if (until > at && until - at > opening->due)
			opening->due = until - at;
	}
	if (!all)
		opening->opened = 0;
	return true;
}
