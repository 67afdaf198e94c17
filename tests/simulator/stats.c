#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "fault.h"
#include "text.h"

static const char *const names[] = {
#define STAT(constant, name) name,
	STATS(STAT)
#undef STAT
};

static struct stats_scope *scope_of(struct stats *stats, const char *model, const char *key)
{
	struct stats_scope *scope = stats->scopes;

	for (size_t i = 0; i < stats->scope_count; i++, scope++)
		if (strcmp(scope->model, model) == 0 && strcmp(scope->key, key) == 0)
			return scope;
	if (stats->scope_count == STATS_MAX_SCOPES)
		return &stats->scopes[STATS_MAX_SCOPES - 1]; /* the last one stands for the rest */
	stats->scope_count++;
	snprintf(scope->model, sizeof(scope->model), "%s", model);
	snprintf(scope->key, sizeof(scope->key), "%s", key);
	return scope;
}

static uint32_t *window_of(struct stats *stats, nsec now)
{
	uint64_t number = (now - stats->start) / STATS_WINDOW;

	for (; stats->last_window < number; stats->last_window++)
		memset(stats->windows[(stats->last_window + 1) % STATS_WINDOWS], 0,
		       sizeof(stats->windows[0]));
	if (stats->last_window >= STATS_WINDOWS)
		stats->first_window = stats->last_window - STATS_WINDOWS + 1;
	return stats->windows[number % STATS_WINDOWS];
}

void stats_add(struct stats *stats, const char *model, const char *key, enum stat stat, nsec now)
{
	stats->counts[stat]++;
	scope_of(stats, model, key)->counts[stat]++;
	window_of(stats, now)[stat]++;
}

static void write_counts(const uint64_t counts[STAT_COUNT], struct buffer *out)
{
	for (size_t i = 0; i < STAT_COUNT; i++)
		buffer_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", names[i], counts[i]);
}

static void write_windows(const struct stats *stats, struct buffer *out)
{
	buffer_text(out, ",\"windows\":[");
	for (uint64_t i = stats->first_window; i <= stats->last_window; i++) {
		const uint32_t *window = stats->windows[i % STATS_WINDOWS];

		buffer_printf(out, "%s{\"at\":%" PRIu64, i > stats->first_window ? "," : "", i * 5);
		for (size_t stat = 0; stat < STAT_COUNT; stat++)
			buffer_printf(out, ",\"%s\":%" PRIu32, names[stat], window[stat]);
		buffer_byte(out, '}');
	}
	buffer_byte(out, ']');
}

static void write_faults(const struct stats *stats, struct buffer *out)
{
	const char *comma = "";

	buffer_text(out, ",\"faults\":{");
	for (size_t i = 1; i < FAULT_COUNT; i++) {
		if (stats->faults[i] == 0)
			continue;
		buffer_printf(out, "%s\"%s\":%" PRIu64, comma, fault_name((enum fault)i),
			      stats->faults[i]);
		comma = ",";
	}
	buffer_byte(out, '}');
}

void stats_write(const struct stats *stats, struct buffer *out)
{
	write_counts(stats->counts, out);
	buffer_printf(out, ",\"in_flight\":%" PRIu64 ",\"scopes\":[", stats->in_flight);
	for (size_t i = 0; i < stats->scope_count; i++) {
		buffer_text(out, i ? ",{\"model\":" : "{\"model\":");
		text_quote(out, stats->scopes[i].model);
		buffer_text(out, ",\"key\":");
		text_quote(out, stats->scopes[i].key);
		buffer_byte(out, ',');
		write_counts(stats->scopes[i].counts, out);
		buffer_byte(out, '}');
	}
	buffer_byte(out, ']');
	write_faults(stats, out);
	write_windows(stats, out);
}
