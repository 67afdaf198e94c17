#include "breakers.h"

#include <string.h>

#include "json.h"
#include "log.h"
#include "targets.h"

/* --- what we tell the fleet --- */

struct breaker_columns {
	int provider, credential, model, word, wait, why;
};

static void push_breaker(struct pg_args *args, const struct breaker_columns *to,
			 const struct account *account, const char *model, struct breaker *b,
			 nsec now)
{
	enum breaker_word word = breaker_tell(b, now);

	if (word == BREAKER_SAYS_NOTHING)
		return;
	pg_push_string(args, to->provider, account->endpoint->name);
	pg_push_string(args, to->credential, account->endpoint->credential);
	pg_push_string(args, to->model, model);
	pg_push_string(args, to->word, breaker_word_name(word));
	pg_push_int(args, to->wait, (int32_t)(breaker_wait(b, now) / NSEC_PER_MSEC));
	pg_push_string(args, to->why, b->why);
}

void breakers_push(struct worker *w, struct pg_args *args, nsec now)
{
	struct breaker_columns to = {
		.provider = pg_array(args, PG_TEXT),
		.credential = pg_array(args, PG_TEXT),
		.model = pg_array(args, PG_TEXT),
		.word = pg_array(args, PG_TEXT),
		.wait = pg_array(args, PG_INT4),
		.why = pg_array(args, PG_TEXT),
	};

	for (size_t i = 0; i < targets_accounts(w->targets); i++) {
		struct account *account = targets_account_at(w->targets, i);

		push_breaker(args, &to, account, "", &account->credential, now);
	}
	for (size_t i = 0; i < targets_count(w->targets); i++) {
		struct target *target = targets_at(w->targets, i);

		push_breaker(args, &to, target->account, target->model, &target->breaker, now);
	}
}

/* --- what the fleet tells us --- */

static struct breaker_row breaker_row_of(const json_t *rows, const struct endpoint *endpoint,
					 const char *model)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (strcmp(json_text(row, "provider", ""), endpoint->name) != 0 ||
		    strcmp(json_text(row, "credential", ""), endpoint->credential) != 0 ||
		    strcmp(json_text(row, "model", ""), model) != 0)
			continue;
		return (struct breaker_row){
			.open = true,
			.mine = json_bool_or(row, "mine", false),
			.left = (nsec)json_integer_or(row, "left", 0) * NSEC_PER_MSEC,
		};
	}
	return (struct breaker_row){0};
}

static void hear(struct breaker *b, const char *provider, const char *model,
		 const struct breaker_row *row, nsec asked, nsec now)
{
	bool was_closed = b->state == BREAKER_CLOSED;

	breaker_hear(b, row, asked, now);
	if (was_closed != (b->state == BREAKER_CLOSED))
		log_info("breaker_followed", "provider=%s model=%s state=%s", provider, model,
			 breaker_state_name(b->state));
}

/* A breaker that nobody speaks of is closed. */
void breakers_read(struct worker *w, const char *text, nsec asked, nsec now)
{
	struct error err;
	json_auto_t *rows = *text ? json_read(text, strlen(text), JSON_OURS, &err) : NULL;

	for (size_t i = 0; i < targets_accounts(w->targets); i++) {
		struct account *account = targets_account_at(w->targets, i);
		struct breaker_row row = breaker_row_of(rows, account->endpoint, "");

		hear(&account->credential, account->endpoint->name, "", &row, asked, now);
	}
	for (size_t i = 0; i < targets_count(w->targets); i++) {
		struct target *target = targets_at(w->targets, i);
		const struct endpoint *endpoint = target->account->endpoint;
		struct breaker_row row = breaker_row_of(rows, endpoint, target->model);

		hear(&target->breaker, endpoint->name, target->model, &row, asked, now);
	}
}
