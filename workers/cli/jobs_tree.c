#include "jobs_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "duration.h"
#include "json.h"
#include "quote.h"
#include "wait_reason.h"

/* Everything that came from outside goes through here. */
static void print_text(const char *text)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};

	quote_terminal(&out, text, strlen(text));
	fputs(out.data ? out.data : "", stdout);
}

static void print_fact(const char *name, const char *text)
{
	if (!text || !*text)
		return;
	printf("  %-14s ", name);
	print_text(text);
	putchar('\n');
}

static void print_facts(const json_t *job)
{
	static const char *const names[] = {
		"business_unit",  "feature", "environment", "usage_tier",
		"user",		  "task",    "plan",	    "prompt_name",
		"prompt_version", "tier",    "lane",	    "created_at",
		"changed_at",	  "due",     "worker",	    "shared_usd"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		print_fact(names[i], json_text(job, names[i], NULL));
	if (json_integer_or(job, "crash_count", 0) > 0)
		printf("  %-14s %" PRId64 "\n", "crashes", json_integer_or(job, "crash_count", 0));
	if (json_bool_or(job, "cancel_requested", false))
		puts("  cancel was requested");
}

static void print_money(const json_t *of)
{
	const char *usd = json_text(of, "usd", NULL);

	if (json_bool_or(of, "unpriced", false))
		printf("  unpriced");
	else if (usd)
		printf("  $%s", usd);
}

static void print_attempt(const json_t *attempt, bool last)
{
	const char *verdict = json_text(attempt, "verdict", NULL);
	const char *confidence = json_text(attempt, "confidence", NULL);
	char text[DURATION_TEXT];

	printf("    %s ", last ? "└─" : "├─");
	print_text(json_text(attempt, "provider", ""));
	putchar('/');
	print_text(json_text(attempt, "model", ""));
	printf("  %s", json_text(attempt, "reply", json_text(attempt, "state", "")));
	if (json_integer_or(attempt, "status", 0) > 0)
		printf(" (%" PRId64 ")", json_integer_or(attempt, "status", 0));
	if (verdict)
		printf(" → %s", verdict);
	if (json_is_integer(json_object_get(attempt, "input")))
		printf("  %" PRId64 "+%" PRId64 " tokens", json_integer_or(attempt, "input", 0),
		       json_integer_or(attempt, "output", 0));
	print_money(attempt);
	if (json_integer_or(attempt, "total_ms", 0) > 0)
		printf("  %s", duration_format(text, (nsec)json_integer_or(attempt, "total_ms", 0) *
							     NSEC_PER_MSEC));
	if (confidence)
		printf("  confidence %s", confidence);
	putchar('\n');
}

static void print_attempt_words(const json_t *attempt, bool last)
{
	static const char *const names[] = {"signature", "error"};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *text = json_text(attempt, names[i], "");

		if (!*text)
			continue;
		printf("    %s     ", last ? " " : "│");
		print_text(text);
		putchar('\n');
	}
}

static bool same_hop(const json_t *a, const json_t *b)
{
	return a && b && json_integer_or(a, "run", 0) == json_integer_or(b, "run", 0) &&
	       json_integer_or(a, "hop", 0) == json_integer_or(b, "hop", 0);
}

static void print_attempts(const json_t *attempts)
{
	const json_t *before = NULL;

	for (size_t i = 0; i < json_array_size(attempts); i++) {
		const json_t *attempt = json_array_get(attempts, i);
		bool last = !same_hop(attempt, json_array_get(attempts, i + 1));

		if (!same_hop(before, attempt))
			printf("  run %" PRId64 ", hop %" PRId64 ", %s\n",
			       json_integer_or(attempt, "run", 0),
			       json_integer_or(attempt, "hop", 0), json_text(attempt, "tier", ""));
		print_attempt(attempt, last);
		print_attempt_words(attempt, last);
		before = attempt;
	}
}

static void print_block(const char *title, const char *text)
{
	AUTO_FINISH(buffer_finish) struct buffer line = {0};

	if (!text)
		return;
	printf("  %s\n", title);
	while (*text) {
		size_t len = strcspn(text, "\n");

		buffer_clear(&line);
		quote_terminal(&line, text, len);
		printf("    %s\n", line.data ? line.data : "");
		text += len;
		text += *text == '\n';
	}
}

static void print_result(const json_t *result)
{
	printf("  run %" PRId64 " ended %s: ", json_integer_or(result, "run", 0),
	       json_text(result, "outcome", ""));
	print_text(json_text(result, "reason", ""));
	if (*json_text(result, "model", "")) {
		printf(" by ");
		print_text(json_text(result, "model", ""));
	}
	if (json_bool_or(result, "degraded", false))
		printf(", degraded");
	if (json_text(result, "confidence", NULL))
		printf(", confidence %s", json_text(result, "confidence", ""));
	print_money(result);
	printf("  %s\n", json_text(result, "finished_at", ""));
	print_fact("why", json_text(result, "detail", NULL));
	print_block("output", json_text(result, "output", NULL));
	print_block("tool calls", json_text(result, "tool_calls", NULL));
}

static void print_wait(const json_t *wait)
{
	const char *reason = json_text(wait, "reason", "");
	double seconds = json_number_or(wait, "seconds", 0);
	int64_t times = json_integer_or(wait, "times", 1);
	char text[DURATION_TEXT];

	printf("  %s  %-10s for ", json_text(wait, "since", ""),
	       duration_format(text, (nsec)(seconds * 1e3) * NSEC_PER_MSEC));
	print_text(reason);
	if (times > 1)
		printf(" (%" PRId64 " times)", times);
	printf("%s: %s\n", json_text(wait, "until", NULL) ? "" : ", still",
	       wait_reason_words(reason));
}

static void print_waits(const json_t *job)
{
	const json_t *waits = json_object_get(job, "waits"), *wait;
	size_t i;

	if (json_array_size(waits) > 0)
		puts("  waited");
	json_array_foreach (waits, i, wait)
		print_wait(wait);
}

static void print_owed(const json_t *debt)
{
	printf("  owed: %s to ", json_text(debt, "kind", ""));
	print_text(json_text(debt, "topic", ""));
	printf(", tried %" PRId64 " times\n", json_integer_or(debt, "tries", 0));
}

static void print_head(const json_t *job)
{
	printf("job %s  %s", json_text(job, "job_id", ""), json_text(job, "state", ""));
	if (json_text(job, "reason", NULL) && *json_text(job, "reason", ""))
		printf(" (%s)", json_text(job, "reason", ""));
	printf("  run %" PRId64 ", hop %" PRId64 "\n", json_integer_or(job, "run", 0),
	       json_integer_or(job, "hop", 0));
}

bool jobs_tree_explain(const char *json, struct error *err)
{
	json_auto_t *job = json_read(json, strlen(json), JSON_FOREIGN, err);

	if (!job)
		return error_wrap(err, "read the job");
	print_head(job);
	print_fact("waits for",
		   wait_reason_now(json_text(job, "state", ""), json_text(job, "reason", "")));
	print_fact("until", json_text(job, "due", NULL));
	print_waits(job);
	return true;
}

bool jobs_tree_print(const char *json, struct error *err)
{
	json_auto_t *job = json_read(json, strlen(json), JSON_FOREIGN, err);
	const json_t *item;
	size_t i;

	if (!job)
		return error_wrap(err, "read the job");
	print_head(job);
	if (json_bool_or(job, "tombstone", false))
		puts("  only its tombstone is left: retention has dropped the rest");
	print_facts(job);
	print_block("message", json_text(job, "message", NULL));
	print_waits(job);
	print_attempts(json_object_get(job, "attempts"));
	json_array_foreach (json_object_get(job, "results"), i, item)
		print_result(item);
	json_array_foreach (json_object_get(job, "owed"), i, item)
		print_owed(item);
	return true;
}
