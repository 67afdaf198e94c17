#include "bill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"
#include "json.h"

#define GROUP 2000
#define MAX_LINE (1024 * 1024)
#define MAX_FINDINGS 1000

/* Lines of one kind that wait for their INSERT. */
struct group {
	const char *query;
	struct pg_args *args;
	int request, id, value, at;
	size_t count;
};

static void group_begin(struct group *group, const char *query, enum pg_type value, bool with_time)
{
	*group = (struct group){.query = query, .args = pg_args_create()};
	group->request = pg_array(group->args, PG_TEXT);
	group->id = pg_array(group->args, PG_TEXT);
	group->value = pg_array(group->args, value);
	if (with_time)
		group->at = pg_array(group->args, PG_TIME);
}

static bool group_flush(struct group *group, struct session *session, struct error *err)
{
	AUTO(pg_rows_destroy) struct pg_rows *rows = NULL;

	if (group->count == 0)
		return true;
	rows = session_ask(session, group->query, TAKE(group->args), err);
	return rows != NULL;
}

struct loading {
	struct session *session;
	struct group lines;
	struct group ends;
};

static void begin_lines(struct loading *loading)
{
	group_begin(&loading->lines, "bill_lines", PG_INT8, true);
}

static void begin_ends(struct loading *loading)
{
	group_begin(&loading->ends, "bill_ends", PG_BOOL, false);
}

static void loading_finish(struct loading *loading)
{
	pg_args_destroy(loading->lines.args);
	pg_args_destroy(loading->ends.args);
}

static bool read_amount(const json_t *line, int64_t *amount, struct error *err)
{
	const json_t *value = json_object_get(line, "amount");
	const char *text = json_string_value(value);
	char *end = "";

	errno = 0;
	*amount = text ? strtoll(text, &end, 10) : json_integer_value(value);
	if ((json_is_integer(value) || (text && *text && *end == '\0' && errno == 0)) &&
	    *amount >= 0)
		return true;
	return error_set(err, ERROR_REJECT, "\"amount\" is no whole number of pico-dollars");
}

static bool add_end(struct loading *loading, const json_t *line, struct error *err)
{
	struct group *ends = &loading->ends;

	pg_push_string(ends->args, ends->request, json_text(line, "request", NULL));
	pg_push_string(ends->args, ends->id, json_text(line, "id", ""));
	pg_push_bool(ends->args, ends->value, json_bool_or(line, "delivered", false));
	if (++ends->count < GROUP)
		return true;
	if (!group_flush(ends, loading->session, err))
		return false;
	begin_ends(loading);
	return true;
}

static bool add_line(struct loading *loading, const json_t *line, struct error *err)
{
	struct group *lines = &loading->lines;
	int64_t amount;

	if (!read_amount(line, &amount, err))
		return false;
	pg_push_string(lines->args, lines->request, json_text(line, "request", NULL));
	pg_push_string(lines->args, lines->id, json_text(line, "id", ""));
	pg_push_big(lines->args, lines->value, amount);
	pg_push_time(lines->args, lines->at, (nsec)json_integer_or(line, "at", 0) * NSEC_PER_MSEC);
	if (++lines->count < GROUP)
		return true;
	if (!group_flush(lines, loading->session, err))
		return false;
	begin_lines(loading);
	return true;
}

static bool load_line(struct loading *loading, const char *text, size_t len, struct error *err)
{
	json_auto_t *line = json_read(text, len, JSON_FOREIGN, err);

	if (!line)
		return false;
	if (!*json_text(line, "id", ""))
		return error_set(err, ERROR_REJECT, "no \"id\", which is the attempt's");
	return json_object_get(line, "amount") ? add_line(loading, line, err)
					       : add_end(loading, line, err);
}

static bool load_file(struct loading *loading, FILE *file, struct error *err)
{
	AUTO(xfree) char *text = NULL;
	size_t capacity = 0, number = 0;
	ssize_t len;

	while ((len = getline(&text, &capacity, file)) > 0) {
		number++;
		if (len > MAX_LINE)
			return error_set(err, ERROR_REJECT, "line %zu is over 1 MiB", number);
		if (strspn(text, " \t\r\n") < (size_t)len &&
		    !load_line(loading, text, (size_t)len, err))
			return error_wrap(err, "line %zu", number);
	}
	return !ferror(file) || error_set(err, ERROR_RETRY, "%s", strerror(errno));
}

bool bill_load(struct session *session, const char *path, struct error *err)
{
	AUTO_FINISH(loading_finish) struct loading loading = {.session = session};
	FILE *file = fopen(path, "re");
	bool loaded;

	if (!file)
		return error_set(err, ERROR_REJECT, "%s: %s", path, strerror(errno));
	begin_lines(&loading);
	begin_ends(&loading);
	loaded = pg_run(session->pg, embedded_text("sql/queries/bill_make.sql"), err) &&
		 load_file(&loading, file, err) && group_flush(&loading.lines, session, err) &&
		 group_flush(&loading.ends, session, err) &&
		 pg_run(session->pg, embedded_text("sql/queries/bill_join.sql"), err);
	fclose(file);
	return loaded || error_wrap(err, "bill %s", path);
}

static struct pg_args *complete_args(bool complete)
{
	struct pg_args *args = pg_args_create();

	pg_bool(args, complete);
	return args;
}

bool bill_book(struct session *session, bool complete, enum table_format format, struct error *err)
{
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "bill_book", complete_args(complete), err);

	if (!rows)
		return error_wrap(err, "book adjustments");
	session_print(rows, format, NULL);
	return true;
}

bool bill_compare(struct session *session, bool complete, enum table_format format,
		  size_t *findings, struct error *err)
{
	struct pg_args *args = complete_args(complete);

	pg_big(args, MAX_FINDINGS);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(session, "bill_findings", args, err);
	AUTO(pg_rows_destroy)
	struct pg_rows *sums =
		rows ? session_ask(session, "bill_sums", complete_args(complete), err) : NULL;

	if (!sums)
		return error_wrap(err, "compare with the bill");
	session_print(sums, format, NULL);
	*findings = (size_t)pg_count(rows);
	if (*findings > 0)
		session_print(rows, format, NULL);
	return true;
}
