#include "openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *openai_id(char text[OPENAI_ID], const char *prefix, const struct uuid *id)
{
	size_t len = (size_t)snprintf(text, OPENAI_ID, "%s", prefix);

	for (size_t i = 0; i < sizeof(id->bytes); i++, len += 2)
		snprintf(text + len, OPENAI_ID - len, "%02x", id->bytes[i]);
	return text;
}

bool openai_read_id(const char *text, const char *prefix, struct uuid *id)
{
	size_t len = strlen(prefix);
	const char *hex = text + len;
	char spelled[UUID_TEXT];

	if (strncmp(text, prefix, len) != 0 || strlen(hex) != 32)
		return false;
	snprintf(spelled, sizeof(spelled), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
	return uuid_parse(spelled, id);
}

void openai_push_scope(struct pg_args *args, const struct exchange *x)
{
	const json_t *unit;
	size_t i;

	if (x->key->all_units) {
		pg_string(args, NULL);
	} else {
		int units = pg_array(args, PG_TEXT);

		json_array_foreach (x->key->units, i, unit)
			pg_push_string(args, units, json_string_value(unit));
	}
	pg_string(args, x->key->id);
}

struct pg_args *openai_args_of_one(struct exchange *x, const char *prefix)
{
	struct pg_args *args;

	if (!openai_read_id(x->words[0], prefix, &x->job_id))
		return NULL;
	args = pg_args_create();
	openai_push_scope(args, x);
	pg_uuid(args, &x->job_id);
	return args;
}

bool openai_unit(struct exchange *x, const char **unit)
{
	const char *project = web_header(x->request, "OpenAI-Project");

	*unit = api_key_only_unit(x->key);
	if (*unit)
		return true;
	*unit = project ? project : "";
	if (!project || exchange_sees(x, project))
		return true;
	exchange_problem(x, 403, "forbidden",
			 "key %s does not see the business unit that OpenAI-Project names",
			 x->key->id);
	return false;
}

bool openai_query_number(struct exchange *x, const char *name, long least, long most, long *value)
{
	const char *text = web_query(x->request, name);
	char *end;
	long number;

	if (!text && !web_has_query(x->request, name))
		return true;
	number = text ? strtol(text, &end, 10) : 0;
	if (text && *text && !*end && number >= least && number <= most) {
		*value = number;
		return true;
	}
	exchange_refuse(x, 400, "invalid_value", name, "'%s' must be a number from %ld to %ld",
			name, least, most);
	return false;
}

bool openai_query_after(struct exchange *x, const char *prefix, struct uuid *after, bool *given)
{
	const char *text = web_query(x->request, "after");

	*given = text != NULL;
	if (!text || openai_read_id(text, prefix, after))
		return true;
	exchange_refuse(x, 400, "invalid_value", "after", "'after' is not an id of ours");
	return false;
}

void openai_put_id(struct json_writer *w, const char *name, const char *prefix,
		   const struct uuid *id)
{
	char text[OPENAI_ID];

	json_key(w, name);
	if (uuid_is_zero(id))
		json_put_raw(w, "null", 4);
	else
		json_put_text(w, openai_id(text, prefix, id));
}

void openai_put_time(struct json_writer *w, const char *name, nsec wall)
{
	json_key(w, name);
	if (wall == 0)
		json_put_raw(w, "null", 4);
	else
		json_put_integer(w, (int64_t)(wall / NSEC_PER_SEC));
}

void openai_put_list_end(struct json_writer *w, const char *prefix, const struct pg_rows *rows,
			 int shown)
{
	struct uuid first = {0}, last = {0};

	if (shown > 0) {
		first = pg_get_uuid(rows, 0, 0);
		last = pg_get_uuid(rows, shown - 1, 0);
	}
	openai_put_id(w, "first_id", prefix, &first);
	openai_put_id(w, "last_id", prefix, &last);
	json_key(w, "has_more");
	json_put_bool(w, pg_count(rows) > shown);
}
