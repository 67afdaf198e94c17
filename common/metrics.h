/*
 * What the process counts, told in Prometheus' text format 0.0.4. All metrics
 * of Sluice are the rows of one list below, so their names, labels and help
 * can be seen, tested and documented at once; a new one is a new row.
 *
 *	metrics_add(METRIC_jobs_terminal_total, 1, LABELS("economy", "done"));
 *	metrics_set(METRIC_calls_in_flight, http_in_flight(http), NO_LABELS);
 *	metrics_observe(METRIC_call_seconds, now - started, LABELS(model));
 *
 * Where it is hot, find the series once and keep it:
 *
 *	struct series *settled = metrics_series(METRIC_jobs_settled_total, NO_LABELS);
 *	series_add(settled, 1);
 *
 * Labels come from outside (models, units): a metric has at most
 * METRICS_MAX_SERIES series, and what is beyond goes to one whose labels are
 * "other". Never a job's id as a label. Not thread-safe: a registry belongs to
 * the loop, which also answers /metrics.
 */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"

#define METRICS_MAX_LABELS 4
#define METRICS_MAX_SERIES 512

/*
 * X(kind, name, labels, help). COUNTER only rises; GAUGE is what it is now;
 * SECONDS is a histogram of durations, SIZES one of small counts.
 */
#define METRICS(X)                                                                                \
	X(GAUGE, build_info, "version,librdkafka",                                                \
	  "1, labelled with what this process is made of")                                        \
	X(GAUGE, start_time_seconds, "", "Wall-clock time at which the process started")          \
	X(GAUGE, ready, "", "1 while /readyz says yes")                                           \
	/* intake */                                                                              \
	X(COUNTER, messages_read_total, "topic", "Kafka messages taken from a topic")             \
	X(COUNTER, claims_total, "result",                                                        \
	  "Claimed keys by result: won, duplicate, conflict, impossible")                         \
	X(COUNTER, rejects_total, "reason",                                                       \
	  "Messages rejected to the dead topic with their bytes")                                 \
	X(COUNTER, pulled_total, "kind", "Jobs pulled from Postgres: due, orphan, handed_back")   \
	X(COUNTER, recalls_total, "result",                                                       \
	  "Jobs that asked the answer cache: hit, lead, wait, go")                                \
	X(COUNTER, intake_blocked_total, "reason",                                                \
	  "Times intake stood still: room, quota, read-ahead, postgres, heartbeat")               \
	X(GAUGE, intake_blocked, "business_unit",                                                 \
	  "1 while this unit's read-ahead bound stops a partition")                               \
	X(SECONDS, job_queue_seconds, "tier,lane", "From submit to claim")                        \
	/* calls */                                                                               \
	X(COUNTER, attempts_total, "tier,model,result", "Calls that ended, by the kind of reply") \
	X(GAUGE, calls_in_flight, "tier", "Calls on the wire")                                    \
	X(GAUGE, call_slots_free, "tier", "Calls that could start now")                           \
	X(SECONDS, call_seconds, "model", "From request to the end of the reply")                 \
	X(SECONDS, call_first_byte_seconds, "model",                                              \
	  "From request to the first byte of the reply")                                          \
	X(COUNTER, tokens_total, "model,class",                                                   \
	  "Tokens by class: input, cache_read, cache_write, output; reasoning is part of output") \
	X(COUNTER, cost_usd_total, "business_unit,model,kind",                                    \
	  "Dollars spent: charge, unknown (bound of a lost answer), adjustment")                  \
	X(COUNTER, unpriced_total, "model", "Calls of models without a price")                    \
	X(GAUGE, breaker_open, "endpoint,credential,model",                                       \
	  "1 while a breaker lets no call through; model \"\": the credential's")                 \
	X(COUNTER, throttled_total, "model", "Replies that told us to wait (429)")                \
	X(SECONDS, limiter_wait_seconds, "tier",                                                  \
	  "How long a claimed job waited for its allowance")                                      \
	X(GAUGE, allowance_left, "allowance", "What we think is left of a rate")                  \
	X(GAUGE, allowance_says, "allowance", "What the provider said is left of a rate")         \
	X(GAUGE, allowance_gap, "allowance", "What the provider said less what we think")         \
	X(GAUGE, allowance_used, "allowance", "Share of a balance that is charged or reserved")   \
	/* outcomes */                                                                            \
	X(COUNTER, verdicts_total, "tier,step,reason", "What answers meant, by next step")        \
	X(COUNTER, jobs_terminal_total, "tier,business_unit,outcome", "Jobs that ended")          \
	X(COUNTER, jobs_settled_total, "", "Attempts settled in Postgres")                        \
	X(COUNTER, confidence_unmeasured_total, "model", "Answers accepted without a confidence") \
	X(SECONDS, job_seconds, "tier,lane", "From submit to the terminal outcome")               \
	X(COUNTER, dead_total, "reason", "Jobs that ended dead")                                  \
	X(GAUGE, jobs_held, "state", "Jobs this process holds")                                   \
	X(GAUGE, jobs_parked, "reason", "Parked jobs of the fleet")                               \
	X(GAUGE, oldest_unfinished_seconds, "tier", "Age of the oldest job that has not ended")   \
	/* store */                                                                               \
	X(SECONDS, transaction_seconds, "kind",                                                   \
	  "Claim, settle, beat and sweep, as Postgres answers")                                   \
	X(SIZES, transaction_rows, "kind", "Rows of a group commit")                              \
	X(COUNTER, transaction_errors_total, "kind,sqlstate", "Transactions Postgres refused")    \
	X(COUNTER, bisections_total, "kind", "Groups split because a row in them was bad")        \
	X(COUNTER, fenced_writes_total, "",                                                       \
	  "Decisions that named an old epoch and changed nothing")                                \
	X(COUNTER, repairs_total, "kind", "What the sweep had to put right")                      \
	X(GAUGE, spool_bytes, "", "Finished calls that wait on disk for Postgres")                \
	X(GAUGE, beat_age_seconds, "", "Age of this worker's last acknowledged beat")             \
	/* outbox */                                                                              \
	X(COUNTER, events_published_total, "kind", "Outbox rows that Kafka has acknowledged")     \
	X(COUNTER, events_failed_total, "kind", "Deliveries that failed and are tried again")     \
	X(GAUGE, outbox_rows, "", "Debts to the outside, as last seen")                           \
	X(GAUGE, outbox_oldest_seconds, "", "Age of the oldest debt")                             \
	X(COUNTER, webhook_deliveries_total, "result",                                            \
	  "Webhook posts: delivered, failed, refused, exhausted, gone")                           \
	/* kafka */                                                                               \
	X(COUNTER, rebalances_total, "kind", "Assignments and revocations of partitions")         \
	X(COUNTER, kafka_errors_total, "code", "Errors librdkafka reported")                      \
	/* batch */                                                                               \
	X(GAUGE, batches, "provider,state", "Provider batches by state")                          \
	X(GAUGE, batch_oldest_seconds, "provider", "Age of the oldest batch not imported")        \
	X(COUNTER, batch_lines_total, "provider,result",                                          \
	  "Lines settled: answered, failed, missing, expired")                                    \
	X(COUNTER, batch_rescues_total, "tier",                                                   \
	  "Jobs moved from a batch to a sync lane by their deadline")                             \
	/* REST */                                                                                \
	X(COUNTER, http_requests_total, "route,status", "Requests answered")                      \
	X(SECONDS, http_request_seconds, "route", "From request to answer")                       \
	/* log */                                                                                 \
	X(COUNTER, stalls_total, "", "Times the watchdog saw work, quota and no progress")

enum metric {
#define METRIC_ID(kind, name, labels, help) METRIC_##name,
	METRICS(METRIC_ID)
#undef METRIC_ID
		METRIC_COUNT,
};

/* The values of a metric's labels, as many as its row names and in that order. */
#define LABELS(...) ((const char *const[METRICS_MAX_LABELS]){__VA_ARGS__})
#define NO_LABELS LABELS(NULL)

struct series;

/* The series of these labels, made when new. Valid until metrics_reset(). Never NULL. */
struct series *metrics_series(enum metric metric, const char *const *labels);

void series_add(struct series *series, double amount);	  /* COUNTER (never less than 0), GAUGE */
void series_set(struct series *series, double value);	  /* GAUGE */
void series_observe(struct series *series, double value); /* SECONDS, SIZES */
double series_value(const struct series *series); /* of a histogram: how many were observed */

void metrics_add(enum metric metric, double amount, const char *const *labels);
void metrics_set(enum metric metric, double value, const char *const *labels);
void metrics_observe(enum metric metric, double value, const char *const *labels);
void metrics_observe_time(enum metric metric, nsec duration, const char *const *labels);

/* All series of a gauge to 0, before it is measured anew. */
void metrics_zero(enum metric metric);

/* The whole exposition; metrics without labels show even before they are used. */
void metrics_render(struct buffer *out);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Forget all series: for tests. */
void metrics_reset(void);

const char *metrics_name(enum metric metric); /* "sluice_jobs_terminal_total" */
const char *metrics_help(enum metric metric);
const char *metrics_labels(enum metric metric); /* "tier,outcome" */
const char *metrics_type(enum metric metric);	/* "counter", "gauge", "histogram" */

#endif
