/*
 * sluice costs: what was spent, by any of the tags money is booked under.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "json.h"
#include "session.h"

#define MAX_DIMENSIONS 4

struct wishes {
	struct arguments common;
	const char *by;
	nsec since;
	nsec until;
	struct words where;
	bool csv;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(
		struct wishes, by, "by", 'b', "TAG,...",
		"sums by up to four of: hour, day, month, business_unit, feature, environment, "
		"usage_tier, task, provider, model, tier, lane, kind, purpose; and, slower, user, "
		"plan, prompt_name, prompt_version, credential, mode, job (default "
		"business_unit,model)"),
	ARGUMENT_DURATION(struct wishes, since, "since", 's', "how far back (default 24h)"),
	ARGUMENT_DURATION(struct wishes, until, "until", 0, "and until how far back (default 0)"),
	ARGUMENT_LIST(struct wishes, where, "where", 'w', "TAG=VALUE",
		      "only these; may be repeated"),
	ARGUMENT_FLAG(struct wishes, csv, "csv", 0, "print CSV"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Show what was spent, from the ledger's hourly sums (whole hours) or, for tags "
		   "the sums\n"
		   "do not have, from the ledger itself. Amounts are dollars, exact. \"not "
		   "accepted\" is what\n"
		   "bought no accepted answer: repairs, escalations, refusals, losses; \"unknown\" "
		   "the upper\n"
		   "bounds of calls whose answer never came.",
	.details = "  sluice costs --since 7d --by business_unit,model\n"
		   "  sluice costs --since 30d --by day --where business_unit=search --csv\n",
	.table = table,
};

/* --- dimensions --- */

struct dimensions {
	char *text; /* owned: the wish, cut up */
	const char *names[MAX_DIMENSIONS];
	size_t count;
	bool from_ledger;
};

static void dimensions_finish(struct dimensions *dimensions)
{
	xfree(dimensions->text);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Whether there is such a tag; the sums have most, the ledger has all. */
static bool check_tag(struct dimensions *dimensions, const char *name, struct error *err)
{
	static const char *const in_sums[] = {
		"hour",	       "day",	     "month", "business_unit", "feature",
		"environment", "usage_tier", "task",  "provider",      "model",
		"tier",	       "lane",	     "kind",  "purpose"};
	static const char *const in_ledger[] = {
		"user", "plan", "prompt_name", "prompt_version", "credential", "mode", "job"};

	if (is_among(name, in_sums, COUNT_OF(in_sums)))
		return true;
	dimensions->from_ledger = true;
	return is_among(name, in_ledger, COUNT_OF(in_ledger)) ||
	       error_set(err, ERROR_REJECT, "no tag \"%.40s\"; `sluice costs --help` lists them",
			 name);
}

static bool read_dimensions(struct dimensions *dimensions, const char *by, struct error *err)
{
	char *rest = dimensions->text = xstrdup(by);

	for (char *name; (name = strsep(&rest, ","));) {
		if (dimensions->count == MAX_DIMENSIONS)
			return error_set(err, ERROR_REJECT, "--by: at most four tags");
		if (!check_tag(dimensions, name, err))
			return error_wrap(err, "--by");
		dimensions->names[dimensions->count++] = name;
	}
	return true;
}

static json_t *read_filter(struct dimensions *dimensions, const struct words *where,
			   struct error *err)
{
	json_auto_t *filter = json_object();

	for (size_t i = 0; i < where->count; i++) {
		const char *equals = strchr(where->words[i], '=');
		AUTO(xfree) char *name = xstrndup(where->words[i], strcspn(where->words[i], "="));

		if (!equals) {
			error_set(err, ERROR_REJECT, "--where: \"%.60s\" is not TAG=VALUE",
				  where->words[i]);
			return NULL;
		}
		if (!check_tag(dimensions, name, err)) {
			error_wrap(err, "--where");
			return NULL;
		}
		json_object_set_new(filter, name,
				    json_lenient_string(equals + 1, strlen(equals + 1)));
	}
	return TAKE(filter);
}

/* --- showing --- */

enum { FIRST_NUMBER = MAX_DIMENSIONS, NUMBERS = 8, IS_TOTAL = FIRST_NUMBER + NUMBERS };

static void add_columns(struct table *out, const struct dimensions *dimensions,
			const struct pg_rows *rows)
{
	for (size_t i = 0; i < dimensions->count; i++)
		table_column(out, dimensions->names[i], TABLE_LEFT);
	for (int column = FIRST_NUMBER; column < IS_TOTAL; column++) {
		AUTO(xfree) char *name = xstrdup(pg_column_name(rows, column));

		name[strcspn(name, "#")] = '\0';
		table_column(out, name, TABLE_NUMBER);
	}
}

static void add_row(struct table *out, const struct dimensions *dimensions,
		    const struct pg_rows *rows, int row)
{
	bool total = pg_get_bool(rows, row, IS_TOTAL);

	for (size_t i = 0; i < dimensions->count; i++)
		table_cell(out, "%s",
			   total ? (i == 0 ? "total" : "") : pg_get_text(rows, row, (int)i));
	for (int column = FIRST_NUMBER; column < IS_TOTAL; column++)
		table_cell(out, "%s", pg_get_text(rows, row, column));
}

static void print_costs(const struct dimensions *dimensions, const struct pg_rows *rows,
			enum table_format format)
{
	AUTO(table_destroy) struct table *out = table_create();
	AUTO_FINISH(buffer_finish) struct buffer text = {0};

	add_columns(out, dimensions, rows);
	for (int row = 0; row < pg_count(rows); row++)
		add_row(out, dimensions, rows, row);
	table_render(out, format, &text);
	fwrite(text.data ? text.data : "", 1, text.len, stdout);
}

static struct pg_args *query_args(const struct wishes *wishes, const struct dimensions *dimensions,
				  const char *filter, bool with_total)
{
	struct pg_args *args = pg_args_create();

	for (size_t i = 0; i < MAX_DIMENSIONS; i++)
		pg_string(args, i < dimensions->count ? dimensions->names[i] : NULL);
	pg_double(args, (double)wishes->since / (double)NSEC_PER_SEC);
	pg_double(args, (double)wishes->until / (double)NSEC_PER_SEC);
	pg_string(args, filter);
	pg_bool(args, with_total);
	return args;
}

static bool show_costs(const struct wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	AUTO_FINISH(dimensions_finish) struct dimensions dimensions = {0};
	enum table_format format = session_format(wishes->common.json, wishes->csv);

	if (!read_dimensions(&dimensions, wishes->by, err))
		return false;
	json_auto_t *filter = read_filter(&dimensions, &wishes->where, err);
	if (!filter || !session_open(&session, &wishes->common, err))
		return false;
	AUTO(xfree) char *filter_text = json_write(filter);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(
		&session, dimensions.from_ledger ? "costs_ledger" : "costs",
		query_args(wishes, &dimensions, filter_text, format == TABLE_TEXT), err);
	if (!rows)
		return false;
	print_costs(&dimensions, rows, format);
	return true;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {.by = "business_unit,model", .since = 24 * 3600 * NSEC_PER_SEC};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return show_costs(&wishes, &err) ? COMMAND_OK : session_fail("costs", &err);
}

const struct command command_costs = {
	.name = "costs",
	.summary = "what was spent, by unit, model, task, day ...",
	.group = COMMAND_MONEY,
	.run = run,
	.form = &form,
};
