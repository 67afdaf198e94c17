#include "drill_play.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drill_look.h"
#include "duration.h"
#include "ensure.h"

#define TICK (50 * NSEC_PER_MSEC)
#define LOOK_EVERY (250 * NSEC_PER_MSEC)
#define CALM_WINDOW (5 * NSEC_PER_SEC)	   /* of it the answers tell who is called first … */
#define CALM_ANSWERS 8			   /* … if there are so many, where the pace allows it */
#define CALM_PATIENCE (120 * NSEC_PER_SEC) /* breakers of the scene before may be open */
#define MORE_PATIENCE (10 * NSEC_PER_SEC)
#define END_PATIENCE (120 * NSEC_PER_SEC)
#define NEAR_ENOUGH (2 * NSEC_PER_SEC) /* on top of a probe's interval: a turn, a call, a look */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

void drill_heed_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* --- waiting: jobs flow meanwhile --- */

static bool go_on(struct scene_state *s, nsec period, struct error *err)
{
	nsec until = clock_now() + period;

	do {
		if (interrupted)
			return error_set(err, ERROR_RETRY, "interrupted");
		if (!load_run(s->play->load, clock_now(), err))
			return false;
		usleep((useconds_t)(TICK / NSEC_PER_USEC));
	} while (clock_now() < until);
	return true;
}

static void add_row(struct scene_state *s, const struct crowd *crowd, bool kept,
		    const char *promise, const char *found)
{
	struct drill_play *play = s->play;

	table_cell(play->table, "%s", s->scene->name);
	table_cell(play->table, "%s", crowd ? crowd->task->name : "");
	table_cell(play->table, "%s", promise);
	table_cell(play->table, "%s", found);
	table_cell(play->table, "%s", kept ? "kept" : "BROKEN");
	play->kept += kept;
	play->broken += !kept;
}

/* --- calm --- */

static bool find_primary(struct scene_state *s, int64_t *answered, struct error *err)
{
	const struct load *load = s->play->load;
	int64_t most = 0;
	nsec now;

	*answered = 0;
	if (!now_there(s, &now, err))
		return false;
	for (size_t i = 0; i < load->crowd_count; i++) {
		AUTO(pg_rows_destroy)
		struct pg_rows *rows = look_at_calls(s, &load->crowds[i], 1u << LOAD_CALM,
						     now - CALM_WINDOW, err);

		if (!rows)
			return false;
		for (int row = 0; row < pg_count(rows); row++) {
			int64_t count = pg_get_int(rows, row, 2);
			const struct candidate *candidate = candidate_of(s->scene->tier, rows, row);

			*answered += count;
			if (!candidate || count <= most)
				continue;
			most = count;
			s->primary = candidate;
		}
	}
	return true;
}

static int64_t answers_wanted(const struct drill *drill)
{
	int64_t half = drill->jobs_per_minute / 24; /* of what is sent in the window */

	return half < 1 ? 1 : half < CALM_ANSWERS ? half : CALM_ANSWERS;
}

/* True with no primary: nothing answers, which is told. */
static bool wait_for_calm(struct scene_state *s, struct error *err)
{
	nsec began = clock_now();
	int64_t answered = 0;
	struct opening opening;

	do {
		if (!go_on(s, LOOK_EVERY, err) || !look_at_breakers(s, &opening, err) ||
		    !find_primary(s, &answered, err))
			return false;
		if (opening.open == 0 && answered >= answers_wanted(s->play->drill) &&
		    clock_now() - began >= CALM_WINDOW)
			return true;
	} while (clock_now() - began < CALM_PATIENCE);
	s->primary = NULL;
	add_row(s, NULL, false, "calls are answered before the outage",
		opening.open > 0 ? "breakers are open, and stay so" : "they are not");
	return true;
}

/* --- the outage --- */

static nsec since(const struct scene_state *s)
{
	return s->opened_at > 0 ? s->opened_at : s->began_at;
}

static bool is_kept(struct scene_state *s, const struct crowd *crowd, enum drill_promise promise,
		    char *found, size_t size, bool *kept, struct error *err)
{
	struct answers answers = {0};
	struct standing jobs;
	int64_t waiting;
	nsec took;
	char text[DURATION_TEXT];

	if (!look_at_answers(s, crowd, 1u << LOAD_OUTAGE, since(s), &answers, err) ||
	    !look_at_jobs(s, &crowd->parts[LOAD_OUTAGE], &jobs, err))
		return false;
	waiting = jobs.sent - jobs.done - jobs.dead;
	switch (promise) {
	case DRILL_BY_CONFIG:
	case DRILL_ANSWER:
		*kept = answers.there > 0;
		snprintf(found, size, "%" PRId64 " answers by it", answers.there);
		break;
	case DRILL_SPILL:
		took = answers.elsewhere > 0 ? answers.elsewhere_at - since(s) : 0;
		*kept = answers.elsewhere > 0 && took <= s->play->drill->spill_within;
		if (answers.elsewhere > 0)
			snprintf(found, size, "%" PRId64 " answers, the first call after %s",
				 answers.elsewhere, duration_format(text, took));
		else
			snprintf(found, size, "none of %" PRId64 " jobs, %" PRId64 " wait",
				 jobs.sent, waiting);
		break;
	case DRILL_CHEAPER:
		*kept = jobs.cheaper > 0;
		snprintf(found, size, "%" PRId64 " answers, %" PRId64 " jobs wait", jobs.cheaper,
			 waiting);
		break;
	case DRILL_STATIC:
		*kept = jobs.fixed > 0;
		snprintf(found, size, "%" PRId64 " jobs got it, %" PRId64 " wait", jobs.fixed,
			 waiting);
		break;
	case DRILL_PARK:
		*kept = waiting > 0 && jobs.dead == 0 && jobs.fixed == 0 && jobs.cheaper == 0;
		snprintf(found, size, "%" PRId64 " of %" PRId64 " wait, %" PRId64 " died", waiting,
			 jobs.sent, jobs.dead);
		break;
	}
	return true;
}

static enum drill_promise promise_to(const struct scene_state *s, const struct crowd *crowd)
{
	return drill_promise(s->play->session->config, s->scene, crowd->task, &s->outage);
}

static bool all_kept(struct scene_state *s, bool *kept, struct error *err)
{
	struct load *load = s->play->load;
	char found[200];

	*kept = true;
	for (size_t i = 0; *kept && i < load->crowd_count; i++)
		if (!is_kept(s, &load->crowds[i], promise_to(s, &load->crowds[i]), found,
			     sizeof(found), kept, err))
			return false;
	return true;
}

static const char *promise_text(const struct scene_state *s, enum drill_promise promise, char *text,
				size_t size)
{
	char period[DURATION_TEXT];

	switch (promise) {
	case DRILL_SPILL:
		snprintf(text, size, "another candidate of %s takes over within %s of %s",
			 s->scene->tier->name,
			 duration_format(period, s->play->drill->spill_within),
			 s->opened_at > 0 ? "the breaker's opening" : "the outage");
		return text;
	case DRILL_CHEAPER:
		return "a cheaper tier takes over";
	case DRILL_STATIC:
		return "jobs get the task's static answer";
	case DRILL_PARK:
		return "jobs wait, and none dies of it";
	case DRILL_BY_CONFIG:
	case DRILL_ANSWER:
		break;
	}
	return "the candidate goes on answering";
}

static bool judge_crowds(struct scene_state *s, struct error *err)
{
	struct load *load = s->play->load;
	char text[200], found[200];
	bool kept;

	for (size_t i = 0; i < load->crowd_count; i++) {
		const struct crowd *crowd = &load->crowds[i];
		enum drill_promise promise = promise_to(s, crowd);

		if (!is_kept(s, crowd, promise, found, sizeof(found), &kept, err))
			return false;
		add_row(s, crowd, kept, promise_text(s, promise, text, sizeof(text)), found);
	}
	return true;
}

/* Whether those that the outage is at must be left alone by the fleet. */
static bool must_break(const struct scene_state *s)
{
	const struct tier *tier = s->scene->tier;
	bool breaks = false;

	for (size_t c = 0; c < tier->candidate_count; c++)
		if (drill_hits(&s->outage, &tier->candidates[c]))
			breaks = breaks || drill_breaks(s->scene, &tier->candidates[c]);
	return breaks;
}

static bool calls_to_broken(struct scene_state *s, int64_t *calls, struct error *err)
{
	const struct load *load = s->play->load;

	*calls = 0;
	for (size_t i = 0; i < load->crowd_count; i++) {
		struct answers answers = {0};

		if (!look_at_answers(s, &load->crowds[i], 1u << LOAD_CALM | 1u << LOAD_OUTAGE,
				     s->began_at, &answers, err))
			return false;
		*calls += answers.calls_there;
	}
	return true;
}

/* A breaker that has seen too few calls owes nothing; every worker counts its own. */
static bool judge_opening(struct scene_state *s, struct error *err)
{
	const struct worker_settings *worker = &s->play->session->config->worker;
	char found[200], text[DURATION_TEXT];
	int64_t calls;

	if (!must_break(s))
		return true;
	if (s->opened_at > 0) {
		snprintf(found, sizeof(found), "open after %s",
			 duration_format(text, s->opened_at > s->began_at
						       ? s->opened_at - s->began_at
						       : 0));
		add_row(s, NULL, true, "the fleet leaves it alone: a breaker opens", found);
		return true;
	}
	if (!calls_to_broken(s, &calls, err))
		return false;
	if (s->scene->kind != DRILL_KEY &&
	    calls < s->play->workers * (int64_t)worker->breaker_min_calls)
		return true;
	snprintf(found, sizeof(found), "none is open after %" PRId64 " calls that failed", calls);
	add_row(s, NULL, false, "the fleet leaves it alone: a breaker opens", found);
	return true;
}

static nsec patience_of(const struct scene_state *s)
{
	nsec window = s->play->session->config->worker.breaker_window;
	nsec probe = s->play->session->config->worker.breaker_probe_after;

	return s->scene->lasts + window + probe + MORE_PATIENCE;
}

static bool order_fault(struct scene_state *s, struct error *err)
{
	AUTO_FINISH(buffer_finish) struct buffer order = {0};

	drill_outage(s->play->session->config, s->scene, s->primary, &s->outage);
	drill_order(s->scene, &s->outage, &order);
	if (!load_flush(s->play->load, err) || !stage_order(s->play->stage, order.data, err))
		return false;
	s->lasts = true;
	s->play->load->part = LOAD_OUTAGE;
	fprintf(stderr, "%s: %s\n", s->scene->name, order.data);
	return now_there(s, &s->began_at, err);
}

static bool suffer(struct scene_state *s, struct error *err)
{
	nsec began = clock_now();
	struct opening opening;
	bool done = false;

	while (!done && clock_now() - began < patience_of(s)) {
		if (!go_on(s, LOOK_EVERY, err) || !look_at_breakers(s, &opening, err))
			return false;
		if (opening.opened > 0 && s->opened_at == 0)
			s->opened_at = opening.opened;
		if (!all_kept(s, &done, err))
			return false;
		done = done && clock_now() - began >= s->scene->lasts &&
		       (s->opened_at > 0 || !must_break(s));
	}
	return judge_opening(s, err) && judge_crowds(s, err);
}

/* --- afterwards --- */

static bool lift_fault(struct scene_state *s, struct error *err)
{
	struct opening opening;

	if (!stage_order(s->play->stage, "", err) || !now_there(s, &s->lifted_at, err) ||
	    !look_at_breakers(s, &opening, err))
		return false;
	s->due = opening.due;
	s->play->load->part = LOAD_AFTER;
	return true;
}

/* How long what was out of order may be left alone after it works again. */
static nsec interval(const struct scene_state *s)
{
	const struct worker_settings *worker = &s->play->session->config->worker;

	return s->scene->kind == DRILL_THROTTLED ? worker->throttled.longest
						 : worker->breaker_probe_after;
}

static bool look_for_return(struct scene_state *s, struct error *err)
{
	const struct load *load = s->play->load;

	for (size_t i = 0; i < load->crowd_count; i++) {
		struct answers answers = {0};

		if (!look_at_answers(s, &load->crowds[i],
				     1u << LOAD_CALM | 1u << LOAD_OUTAGE | 1u << LOAD_AFTER,
				     s->lifted_at, &answers, err))
			return false;
		keep_earliest(&s->back_at, answers.primary_at);
	}
	return true;
}

static bool judge_return(struct scene_state *s, struct error *err)
{
	nsec allowed = s->due + interval(s) + NEAR_ENOUGH;
	nsec until = clock_now() + allowed + MORE_PATIENCE;
	char promise[200], found[200], text[DURATION_TEXT];
	bool kept;

	while (s->back_at == 0 && clock_now() < until)
		if (!go_on(s, LOOK_EVERY, err) || !look_for_return(s, err))
			return false;
	kept = s->back_at > 0 && s->back_at - s->lifted_at <= allowed;
	snprintf(promise, sizeof(promise), "%s is called again within %s", s->primary->model,
		 duration_format(text, allowed));
	if (s->back_at > 0)
		snprintf(found, sizeof(found), "after %s",
			 duration_format(text, s->back_at - s->lifted_at));
	else
		snprintf(found, sizeof(found), "not yet");
	add_row(s, NULL, kept, promise, found);
	return true;
}

static bool judge_alert(struct scene_state *s, struct error *err)
{
	const struct endpoint *endpoint = s->primary->endpoint;
	struct pg_args *args = pg_args_create();
	AUTO(xfree) char *subject = xasprintf("%s/%s", endpoint->name, endpoint->credential);
	char found[60];

	pg_string(args, subject);
	pg_time(args, s->began_at);
	AUTO(pg_rows_destroy) struct pg_rows *rows = look(s, "drill_alerts", args, err);
	if (!rows)
		return false;
	snprintf(found, sizeof(found), "%" PRId64, pg_get_int(rows, 0, 0));
	add_row(s, NULL, pg_get_int(rows, 0, 0) == 1, "one alert goes out for the credential",
		found);
	return true;
}

static bool count_all(struct scene_state *s, const struct crowd *crowd, struct standing *sum,
		      struct error *err)
{
	*sum = (struct standing){0};
	for (int part = 0; part < LOAD_PARTS; part++) {
		struct standing jobs;

		if (!look_at_jobs(s, &crowd->parts[part], &jobs, err))
			return false;
		sum->sent += jobs.sent;
		sum->done += jobs.done;
		sum->dead += jobs.dead;
		if (*jobs.reasons)
			memcpy(sum->reasons, jobs.reasons, sizeof(sum->reasons));
	}
	return true;
}

/* No more are sent; all that were sent must end well. */
static bool judge_ends(struct scene_state *s, const struct crowd *crowd, nsec until,
		       struct error *err)
{
	struct standing sum;
	char found[240];

	for (;;) {
		if (interrupted)
			return error_set(err, ERROR_RETRY, "interrupted");
		if (!count_all(s, crowd, &sum, err))
			return false;
		if (sum.done + sum.dead == sum.sent || clock_now() >= until)
			break;
		usleep((useconds_t)(LOOK_EVERY / NSEC_PER_USEC));
	}
	snprintf(found, sizeof(found), "%" PRId64 " of %" PRId64 " done%s%s", sum.done, sum.sent,
		 sum.dead > 0 ? "; died of " : "", sum.reasons);
	add_row(s, crowd, sum.done == sum.sent, "no job is lost, none dies", found);
	return true;
}

static bool recover(struct scene_state *s, struct error *err)
{
	struct load *load = s->play->load;
	nsec until;

	if (!lift_fault(s, err) || !judge_return(s, err))
		return false;
	if (s->scene->kind == DRILL_KEY && s->opened_at > 0 && !judge_alert(s, err))
		return false;
	if (!load_flush(load, err))
		return false;
	until = clock_now() + END_PATIENCE;
	for (size_t i = 0; i < load->crowd_count; i++)
		if (!judge_ends(s, &load->crowds[i], until, err))
			return false;
	return true;
}

bool drill_play(struct drill_play *play, const struct drill_scene *scene, struct error *err)
{
	struct scene_state s = {.play = play, .scene = scene};

	load_begin(play->load, scene, clock_now());
	if (!wait_for_calm(&s, err))
		return false;
	if (!s.primary)
		return true;
	return order_fault(&s, err) && suffer(&s, err) && recover(&s, err);
}
