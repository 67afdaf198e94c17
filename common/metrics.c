#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "utf8.h"

/*
 * All series hang in one hash table, whose size bounds them together, and in
 * one list per metric, in the order they were made, which is the order shown.
 */
#define TABLE_SIZE 16384 /* a power of two, at most three quarters full */
#define MAX_LABEL_BYTES 128
#define MAX_BUCKETS 16

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_SIZES };

struct row {
	enum metric_kind kind;
	const char *name;
	const char *labels;
	const char *help;
};

static const struct row rows[METRIC_COUNT] = {
#define METRIC_ROW(kind, name, labels, help) {METRIC_##kind, "sluice_" #name, labels, help},
	METRICS(METRIC_ROW)
#undef METRIC_ROW
};

static const double seconds_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
					0.5,   1,      2.5,   5,    10,	   30,	 120, 600};
static const double sizes_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

_Static_assert(COUNT_OF(seconds_bounds) <= MAX_BUCKETS, "seconds fit");
_Static_assert(COUNT_OF(sizes_bounds) <= MAX_BUCKETS, "sizes fit");

struct series {
	enum metric metric;
	char *values[METRICS_MAX_LABELS];
	char *labels;	   /* as shown: tier="economy",outcome="done" */
	double value;	   /* of a histogram: the sum */
	uint64_t *buckets; /* NULL unless a histogram; the last counts all */
	struct series *next;
};

static struct {
	struct series *table[TABLE_SIZE];
	size_t used;
	struct series *first[METRIC_COUNT];
	struct series *last[METRIC_COUNT];
	size_t count[METRIC_COUNT];
} registry;

static const double *bounds_of(enum metric metric, size_t *count)
{
	bool seconds = rows[metric].kind == METRIC_SECONDS;

	*count = seconds ? COUNT_OF(seconds_bounds) : COUNT_OF(sizes_bounds);
	return seconds ? seconds_bounds : sizes_bounds;
}

static bool is_histogram(enum metric metric)
{
	return rows[metric].kind == METRIC_SECONDS || rows[metric].kind == METRIC_SIZES;
}

/* --- labels --- */

static void append_label_value(struct buffer *out, const char *value)
{
	size_t len = strnlen(value, MAX_LABEL_BYTES);

	for (size_t at = 0; at < len;) {
		size_t step = utf8_step(value + at, len - at);

		if (step == 0)
			buffer_text(out, UTF8_REPLACEMENT);
		else if (value[at] == '"' || value[at] == '\\')
			buffer_printf(out, "\\%c", value[at]);
		else if (value[at] == '\n')
			buffer_text(out, "\\n");
		else
			buffer_append(out, value + at, step);
		at += step > 0 ? step : 1;
	}
}

/* tier="economy",outcome="done" */
static void append_labels(struct buffer *out, enum metric metric, const char *const *values)
{
	const char *name = rows[metric].labels;

	buffer_append(out, "", 0);
	for (size_t i = 0; *name; i++) {
		size_t len = strcspn(name, ",");

		buffer_printf(out, "%s%.*s=\"", i > 0 ? "," : "", (int)len, name);
		append_label_value(out, values[i]);
		buffer_byte(out, '"');
		name += len;
		name += *name == ',';
	}
}

static size_t label_count(enum metric metric)
{
	const char *labels = rows[metric].labels;
	size_t count = *labels ? 1 : 0;

	for (; *labels; labels++)
		count += *labels == ',';
	ENSURE(count <= METRICS_MAX_LABELS);
	return count;
}

/* --- finding and making series --- */

/* A value counts up to MAX_LABEL_BYTES; each is ended, so that "ab","c" is not "a","bc". */
static uint64_t hash(enum metric metric, const char *const *values, size_t count)
{
	uint64_t h = 14695981039346656037u ^ (uint64_t)metric;

	for (size_t i = 0; i < count; i++) {
		ENSURE(values[i]);
		for (size_t at = 0; at < MAX_LABEL_BYTES && values[i][at]; at++)
			h = (h ^ (unsigned char)values[i][at]) * 1099511628211u;
		h = (h ^ 0xff) * 1099511628211u;
	}
	return h ^ h >> 32;
}

static bool has_labels(const struct series *series, enum metric metric, const char *const *values,
		       size_t count)
{
	if (series->metric != metric)
		return false;
	for (size_t i = 0; i < count; i++) {
		ENSURE(series->values[i] && values[i]);
		if (strncmp(series->values[i], values[i], MAX_LABEL_BYTES) != 0)
			return false;
	}
	return true;
}

/* The slot that holds the series, or the free one where it belongs. */
static struct series **find_slot(enum metric metric, const char *const *values, size_t count)
{
	for (size_t at = hash(metric, values, count);; at++) {
		struct series **slot = &registry.table[at % TABLE_SIZE];

		if (!*slot || has_labels(*slot, metric, values, count))
			return slot;
	}
}

static void describe(struct series *series, const char *const *values, size_t count)
{
	struct buffer text = {0};

	for (size_t i = 0; i < count; i++)
		series->values[i] = xstrndup(values[i], MAX_LABEL_BYTES);
	append_labels(&text, series->metric, values);
	series->labels = buffer_take(&text);
}

static struct series *make_series(struct series **slot, enum metric metric)
{
	struct series *series = xcalloc(1, sizeof(*series));

	series->metric = metric;
	if (is_histogram(metric))
		series->buckets = xcalloc(MAX_BUCKETS + 1, sizeof(*series->buckets));
	if (registry.last[metric])
		registry.last[metric]->next = series;
	else
		registry.first[metric] = series;
	registry.last[metric] = series;
	registry.count[metric]++;
	registry.used++;
	*slot = series;
	return series;
}

static bool is_full(enum metric metric)
{
	return registry.count[metric] + 1 >= METRICS_MAX_SERIES ||
	       registry.used + METRIC_COUNT >= TABLE_SIZE / 4 * 3;
}

struct series *metrics_series(enum metric metric, const char *const *labels)
{
	static const char *const other[METRICS_MAX_LABELS] = {"other", "other", "other", "other"};
	size_t count = label_count(metric);
	struct series **slot = find_slot(metric, labels, count);

	if (!*slot && is_full(metric)) {
		labels = other;
		slot = find_slot(metric, labels, count);
	}
	if (!*slot)
		describe(make_series(slot, metric), labels, count);
	return *slot;
}

void metrics_reset(void)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		struct series *series = registry.table[i];

		if (!series)
			continue;
		for (size_t label = 0; label < METRICS_MAX_LABELS; label++)
			free(series->values[label]);
		free(series->labels);
		free(series->buckets);
		free(series);
	}
	memset(&registry, 0, sizeof(registry));
}

/* --- counting --- */

void series_add(struct series *series, double amount)
{
	enum metric_kind kind = rows[series->metric].kind;

	ENSURE(kind == METRIC_GAUGE || (kind == METRIC_COUNTER && amount >= 0));
	series->value += amount;
}

void series_set(struct series *series, double value)
{
	ENSURE(rows[series->metric].kind == METRIC_GAUGE);
	series->value = value;
}

void series_observe(struct series *series, double value)
{
	size_t count;
	const double *bounds = bounds_of(series->metric, &count);
	size_t at = 0;

	ENSURE(series->buckets);
	while (at < count && value > bounds[at])
		at++;
	series->buckets[at]++;
	series->value += value;
}

static uint64_t observed(const struct series *series)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= MAX_BUCKETS; i++)
		sum += series->buckets[i];
	return sum;
}

double series_value(const struct series *series)
{
	return series->buckets ? (double)observed(series) : series->value;
}

void metrics_add(enum metric metric, double amount, const char *const *labels)
{
	series_add(metrics_series(metric, labels), amount);
}

void metrics_set(enum metric metric, double value, const char *const *labels)
{
	series_set(metrics_series(metric, labels), value);
}

void metrics_observe(enum metric metric, double value, const char *const *labels)
{
	series_observe(metrics_series(metric, labels), value);
}

void metrics_observe_time(enum metric metric, nsec duration, const char *const *labels)
{
	metrics_observe(metric, (double)duration / (double)NSEC_PER_SEC, labels);
}

void metrics_zero(enum metric metric)
{
	for (struct series *series = registry.first[metric]; series; series = series->next)
		series_set(series, 0);
}

/* --- telling --- */

static void append_number(struct buffer *out, double value)
{
	if (isnan(value))
		buffer_text(out, "NaN");
	else if (isinf(value))
		buffer_text(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 9e15)
		buffer_printf(out, "%.0f", value);
	else
		buffer_printf(out, "%.17g", value);
}

static void append_sample(struct buffer *out, const struct series *series, const char *suffix,
			  const char *bound, double value)
{
	bool braces = bound || series->labels[0];

	buffer_printf(out, "%s%s", rows[series->metric].name, suffix);
	if (braces)
		buffer_printf(out, "{%s", series->labels);
	if (bound)
		buffer_printf(out, "%sle=\"%s\"", series->labels[0] ? "," : "", bound);
	buffer_text(out, braces ? "} " : " ");
	append_number(out, value);
	buffer_byte(out, '\n');
}

static void append_histogram(struct buffer *out, const struct series *series)
{
	size_t count;
	const double *bounds = bounds_of(series->metric, &count);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		AUTO_FINISH(buffer_finish) struct buffer bound = {0};

		buffer_printf(&bound, "%g", bounds[i]);
		sum += series->buckets[i];
		append_sample(out, series, "_bucket", bound.data, (double)sum);
	}
	append_sample(out, series, "_bucket", "+Inf", (double)observed(series));
	append_sample(out, series, "_sum", NULL, series->value);
	append_sample(out, series, "_count", NULL, (double)observed(series));
}

static void append_metric(struct buffer *out, enum metric metric)
{
	if (rows[metric].labels[0] == '\0')
		metrics_series(metric, NO_LABELS);
	if (!registry.first[metric])
		return;
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[metric].name, rows[metric].help,
		      rows[metric].name, metrics_type(metric));
	for (struct series *series = registry.first[metric]; series; series = series->next) {
		if (series->buckets)
			append_histogram(out, series);
		else
			append_sample(out, series, "", NULL, series->value);
	}
}

void metrics_render(struct buffer *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		append_metric(out, (enum metric)i);
}

const char *metrics_name(enum metric metric)
{
	return rows[metric].name;
}

const char *metrics_help(enum metric metric)
{
	return rows[metric].help;
}

const char *metrics_labels(enum metric metric)
{
	return rows[metric].labels;
}

const char *metrics_type(enum metric metric)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};

	return types[rows[metric].kind];
}
