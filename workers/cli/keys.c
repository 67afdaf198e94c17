/*
 * sluice keys create, list, revoke: who may use the REST shim. A key is shown
 * when it is made and never again; what is kept is its SHA-256.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "command.h"
#include "digest.h"
#include "ensure.h"
#include "session.h"

#define KEY_BYTES 32 /* 256 bits: nobody guesses it, so one round of SHA-256 is enough */
#define ID_BYTES 6
#define MOST_FEATURE 128

/* --- keys create --- */

struct create_wishes {
	struct arguments common;
	const char *name;
	struct words units;
	struct words rights;
	int64_t per_minute;
	int64_t tokens_per_minute;
	const char *feature;
};

static const struct argument create_table[] = {
	ARGUMENT_TEXT(struct create_wishes, name, "name", 'n', "TEXT", "what it is for"),
	ARGUMENT_LIST(struct create_wishes, units, "business-unit", 'u', "UNIT",
		      "a unit it sees and submits for; may be repeated; \"*\" for all"),
	ARGUMENT_LIST(struct create_wishes, rights, "right", 'r', "RIGHT",
		      "submit, read, costs or operate; may be repeated (default submit and read)"),
	ARGUMENT_COUNT(struct create_wishes, per_minute, "requests-per-minute", 0,
		       "most requests a minute, lines of lists counted each (default: no limit)", 1,
		       100000000),
	ARGUMENT_COUNT(struct create_wishes, tokens_per_minute, "tokens-per-minute", 0,
		       "most tokens a minute, in the prompts of jobs (default: no limit)", 1,
		       1000000000000),
	ARGUMENT_TEXT(struct create_wishes, feature, "feature", 'f', "FEATURE",
		      "what batches of OpenAI's shape are booked under, unless they say so"),
	{0},
};

static const struct argument_form create_form = {
	.usage = "",
	.summary = "Make a key for the REST shim. It is printed once: keep it, for nobody can show "
		   "it again.",
	.details = "  sluice keys create --name 'search backend' --business-unit search\n"
		   "  sluice keys create --name dashboards --business-unit '*' --right read "
		   "--right costs\n",
	.table = create_table,
};

static void hex(char *out, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool draw(char *out, size_t len, struct error *err)
{
	unsigned char bytes[KEY_BYTES];

	if (getrandom(bytes, len, 0) != (ssize_t)len)
		return error_set(err, ERROR_FATAL, "random numbers: %s", strerror(errno));
	hex(out, bytes, len);
	explicit_bzero(bytes, sizeof(bytes));
	return true;
}

static bool check_create(struct create_wishes *wishes, struct error *err)
{
	static const char *const rights[] = {"submit", "read", "costs", "operate"};

	if (!wishes->name || !*wishes->name)
		return error_set(err, ERROR_REJECT, "--name is wanted: say what the key is for");
	if (wishes->units.count == 0)
		return error_set(err, ERROR_REJECT, "--business-unit is wanted, at least one");
	if (wishes->feature && strlen(wishes->feature) > MOST_FEATURE)
		return error_set(err, ERROR_REJECT, "--feature has at most %d bytes", MOST_FEATURE);
	if (wishes->rights.count == 0) {
		wishes->rights.words[wishes->rights.count++] = "submit";
		wishes->rights.words[wishes->rights.count++] = "read";
	}
	for (size_t i = 0; i < wishes->rights.count; i++) {
		size_t r = 0;

		while (r < COUNT_OF(rights) && strcmp(rights[r], wishes->rights.words[i]) != 0)
			r++;
		if (r == COUNT_OF(rights))
			return error_set(
				err, ERROR_REJECT,
				"no right \"%.40s\"; there are submit, read, costs, operate",
				wishes->rights.words[i]);
	}
	return true;
}

static void push_words(struct pg_args *args, const struct words *words)
{
	int array = pg_array(args, PG_TEXT);

	for (size_t i = 0; i < words->count; i++)
		pg_push_string(args, array, words->words[i]);
}

static struct pg_args *create_args(const struct create_wishes *wishes, const char *id,
				   const char *key)
{
	struct digest digest = digest_of(key, strlen(key));
	struct pg_args *args = pg_args_create();

	pg_string(args, id);
	pg_bytes(args, digest.bytes, sizeof(digest.bytes));
	pg_string(args, wishes->name);
	push_words(args, &wishes->units);
	push_words(args, &wishes->rights);
	pg_big(args, wishes->per_minute);
	pg_big(args, wishes->tokens_per_minute);
	pg_string(args, wishes->feature ? wishes->feature : "");
	return args;
}

static bool create_key(struct create_wishes *wishes, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	char id[2 * ID_BYTES + 1], secret[2 * KEY_BYTES + 1];

	if (!check_create(wishes, err) || !session_open(&session, &wishes->common, err) ||
	    !draw(id, ID_BYTES, err) || !draw(secret, KEY_BYTES, err))
		return false;
	AUTO(xfree) char *key = xasprintf("slc_%s_%s", id, secret);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "keys_create", create_args(wishes, id, key),
					   err);
	if (!rows)
		return false;
	printf(wishes->common.json ? "{\"key_id\":\"%s\",\"key\":\"%s\"}\n" : "%.0s%s\n", id, key);
	return true;
}

static int run_create(int argc, char **argv)
{
	struct create_wishes wishes = {0};
	int code = arguments_parse(&create_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return create_key(&wishes, &err) ? COMMAND_OK : session_fail("keys create", &err);
}

const struct command command_keys_create = {
	.name = "keys create",
	.summary = "make a key for the REST shim",
	.group = COMMAND_OPERATE,
	.run = run_create,
	.form = &create_form,
};

/* --- keys list --- */

static const struct argument no_table[] = {{0}};

static const struct argument_form list_form = {
	.usage = "",
	.summary = "List the keys of the REST shim, revoked ones as well. The keys themselves are "
		   "not kept.",
	.details = "",
	.table = no_table,
};

static bool list_keys(const struct arguments *common, struct error *err)
{
	return session_show(common, false, "keys_list", NULL,
			    "no keys; `sluice keys create` makes one", err);
}

static int run_list(int argc, char **argv)
{
	struct arguments wishes = {0};
	int code = arguments_parse(&list_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return list_keys(&wishes, &err) ? COMMAND_OK : session_fail("keys list", &err);
}

const struct command command_keys_list = {
	.name = "keys list",
	.summary = "keys of the REST shim",
	.group = COMMAND_OPERATE,
	.run = run_list,
	.form = &list_form,
};

/* --- keys revoke --- */

static const struct argument_form revoke_form = {
	.usage = "KEY_ID...",
	.summary = "Revoke keys by their ids, the twelve digits after slc_. It holds everywhere "
		   "within two "
		   "seconds.",
	.details = "",
	.table = no_table,
	.least_words = 1,
	.most_words = 1000,
};

static bool revoke_keys(const struct arguments *common, struct error *err)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	struct pg_args *args;
	int ids;

	if (!session_open(&session, common, err))
		return false;
	args = pg_args_create();
	ids = pg_array(args, PG_TEXT);
	for (size_t i = 0; i < common->word_count; i++)
		pg_push_string(args, ids, common->words[i]);
	AUTO(pg_rows_destroy)
	struct pg_rows *rows = session_ask(&session, "keys_revoke", args, err);
	if (!rows)
		return false;
	session_print(rows, session_format(common->json, false), NULL);
	return (size_t)pg_count(rows) == common->word_count ||
	       error_set(err, ERROR_REJECT, "%zu of %zu are no keys, or were revoked before",
			 common->word_count - (size_t)pg_count(rows), common->word_count);
}

static int run_revoke(int argc, char **argv)
{
	struct arguments wishes = {0};
	int code = arguments_parse(&revoke_form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	return revoke_keys(&wishes, &err) ? COMMAND_OK : session_fail("keys revoke", &err);
}

const struct command command_keys_revoke = {
	.name = "keys revoke",
	.summary = "end keys of the REST shim",
	.group = COMMAND_OPERATE,
	.run = run_revoke,
	.form = &revoke_form,
};
