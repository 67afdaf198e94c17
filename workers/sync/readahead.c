#include "readahead.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"
#include "metrics.h"
#include "worker.h"

#define COUNT_EVERY (500 * NSEC_PER_MSEC) /* while something is parked or held */
#define REST_AFTER (10 * NSEC_PER_SEC)	  /* without either, nothing is counted */
#define MOST_UNITS 10000

struct unit {
	char *name;	 /* owned */
	int64_t counted; /* rows of the fleet, as last counted */
	int64_t ours;	 /* parked by us since */
};

struct held_partition {
	size_t topic;
	int32_t partition;
	char *unit;	    /* whose bound holds it; owned */
	const char *reason; /* its last job waits for */
};

struct readahead {
	struct unit *units;
	size_t unit_count;
	int64_t total; /* counted */
	int64_t ours;
	bool counted;
	bool counting;
	nsec count_at;
	nsec parked_at; /* the last one of ours */
	struct held_partition *held;
	size_t held_count;
};

struct readahead *readahead_create(void)
{
	return xcalloc(1, sizeof(struct readahead));
}

static void forget_units(struct readahead *ahead)
{
	for (size_t i = 0; i < ahead->unit_count; i++)
		free(ahead->units[i].name);
	ahead->unit_count = 0;
	ahead->total = ahead->ours = 0;
}

void readahead_destroy(struct readahead *ahead)
{
	if (!ahead)
		return;
	forget_units(ahead);
	for (size_t i = 0; i < ahead->held_count; i++)
		free(ahead->held[i].unit);
	free(ahead->units);
	free(ahead->held);
	free(ahead);
}

static struct unit *unit_of(struct readahead *ahead, const char *name)
{
	for (size_t i = 0; i < ahead->unit_count; i++)
		if (strcmp(ahead->units[i].name, name) == 0)
			return &ahead->units[i];
	if (ahead->unit_count == MOST_UNITS)
		return &ahead->units[MOST_UNITS - 1];
	ahead->units = xrealloc(ahead->units, (ahead->unit_count + 1) * sizeof(*ahead->units));
	ahead->units[ahead->unit_count] = (struct unit){.name = xstrdup(name)};
	return &ahead->units[ahead->unit_count++];
}

/* Our share of what is left; others may take as much at the same time. */
static int64_t share(const struct worker *w, size_t bound, int64_t counted)
{
	int64_t left = (int64_t)bound - counted;
	int64_t alive = w->alive > 0 ? w->alive : 1;

	return left <= 0 ? 0 : left < alive ? 1 : left / alive;
}

static bool has_room(const struct worker *w, const struct unit *unit)
{
	const struct readahead *ahead = w->readahead;
	const struct worker_settings *settings = &w->config->worker;

	return ahead->counted &&
	       unit->ours < share(w, settings->park_rows_per_unit, unit->counted) &&
	       ahead->ours < share(w, settings->park_rows_total, ahead->total);
}

bool readahead_is_over_share(const struct worker *w, const struct work *work, nsec now)
{
	const struct work_line *line = &w->works.lines[work->tier->rank];
	size_t waiting = fair_queue_of(line->queue, work->job->business_unit);
	size_t units = fair_queue_units(line->queue) + (waiting == 0);

	return work_line_is_short(line, now) &&
	       waiting >= w->config->worker.max_in_flight / 2 / units + 1;
}

static bool is_held(const struct readahead *ahead, size_t topic, int32_t partition)
{
	for (size_t i = 0; i < ahead->held_count; i++)
		if (ahead->held[i].topic == topic && ahead->held[i].partition == partition)
			return true;
	return false;
}

void readahead_parked(struct worker *w, const struct work *work, nsec now)
{
	struct readahead *ahead = w->readahead;
	struct unit *unit = unit_of(ahead, work->job->business_unit);

	unit->ours++;
	ahead->ours++;
	ahead->parked_at = now;
	if (has_room(w, unit) || is_held(ahead, work->topic, work->partition))
		return;
	ahead->held = xrealloc(ahead->held, (ahead->held_count + 1) * sizeof(*ahead->held));
	ahead->held[ahead->held_count++] = (struct held_partition){
		.topic = work->topic,
		.partition = work->partition,
		.unit = xstrdup(unit->name),
		.reason = work->park_reason,
	};
	kafka_consumer_hold(w->consumer, work->topic, work->partition, true);
	metrics_add(METRIC_intake_blocked_total, 1, LABELS("read-ahead"));
}

/* Those whose unit has room again, or is none of the parked any more, are read on. */
static void let_go(struct worker *w)
{
	struct readahead *ahead = w->readahead;
	size_t kept = 0;

	metrics_zero(METRIC_intake_blocked);
	for (size_t i = 0; i < ahead->held_count; i++) {
		struct held_partition *held = &ahead->held[i];

		if (has_room(w, unit_of(ahead, held->unit))) {
			kafka_consumer_hold(w->consumer, held->topic, held->partition, false);
			free(held->unit);
			continue;
		}
		/* Again, for it may have been assigned anew. */
		kafka_consumer_hold(w->consumer, held->topic, held->partition, true);
		metrics_set(METRIC_intake_blocked, 1, LABELS(held->unit));
		ahead->held[kept++] = *held;
	}
	ahead->held_count = kept;
}

void readahead_run(struct worker *w, nsec now)
{
	struct readahead *ahead = w->readahead;
	bool busy = ahead->held_count > 0 ||
		    (ahead->parked_at > 0 && now - ahead->parked_at < REST_AFTER);

	if (ahead->counting || !busy || now < ahead->count_at || !pg_ready(w->pgs[PG_QUOTA]))
		return;
	ahead->counting = true;
	worker_send(w, request_create(REQUEST_PARKED, PG_QUOTA), "parked", NULL);
}

void readahead_answer(struct worker *w, struct request *request, struct pg_answer *answer, nsec now)
{
	struct readahead *ahead = w->readahead;

	ahead->counting = false;
	/* However many there are: counting takes a twentieth of a connection, no more. */
	ahead->count_at = now + (now - request->sent_at) * 20;
	if (ahead->count_at < now + COUNT_EVERY)
		ahead->count_at = now + COUNT_EVERY;
	request_destroy(request);
	if (!answer->rows) {
		log_warn("parked_not_counted", "why=%s", answer->error.text);
		return;
	}
	forget_units(ahead);
	ahead->counted = true;
	for (int row = 0; row < pg_count(answer->rows); row++) {
		struct unit *unit = unit_of(ahead, pg_get_text(answer->rows, row, 0));

		unit->counted += pg_get_int(answer->rows, row, 1);
		ahead->total += pg_get_int(answer->rows, row, 1);
	}
	let_go(w);
}

const char *readahead_blocker(const struct worker *w, const char **reason)
{
	const struct readahead *ahead = w->readahead;

	if (ahead->held_count == 0 || !ahead->counted)
		return NULL;
	*reason = ahead->held[0].reason;
	return ahead->held[0].unit;
}
