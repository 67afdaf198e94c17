#include "control.h"

#include <inttypes.h>
#include <string.h>

#include "batch.h"
#include "json.h"
#include "text.h"

const char control_help[] =
	"  GET /control tells what was seen: requests, accepted, delivered, 429s by limits, "
	"faults,\n"
	"  duplicates, in flight; in all, per model and key, per 5 seconds; what is left of "
	"limits; and the sum of the bill.\n"
	"  POST /control changes, at once and on nobody's headers:\n"
	"    {\"limit\":\"rpm=1500,model=gpt-4o-mini\", \"hide_headers\":true, "
	"\"fault\":\"500=0.6\",\n"
	"     \"schedule\":\"0 30 429 0.5\\n\", \"pause\":true, \"latency\":\"fixed:50\",\n"
	"     \"retry_after\":2, \"batch_speed\":1440, \"batch_run\":600,\n"
	"     \"batch_tokens\":90000, \"forget\":true}\n"
	"  \"fault\" and \"schedule\" replace what was in force; the schedule's clock starts "
	"then.\n";

static void write_state(struct simulator *sim, struct buffer *out, nsec now)
{
	buffer_printf(out, "{\"simulator\":1,\"seconds\":%.3f,", (double)(now - sim->start) / 1e9);
	stats_write(&sim->stats, out);
	batches_write(sim, out);
	limits_write(&sim->limits, out, now);
	buffer_printf(out, ",\"billed\":%zu,\"bill\":\"%" PRId64 "\"}\n", bill_count(sim->bill),
		      bill_total(sim->bill));
}

static bool set_limits(struct simulator *sim, const json_t *value, struct error *err)
{
	const json_t *rule;
	size_t i;

	if (json_is_string(value))
		return limits_add(&sim->limits, json_string_value(value), err);
	json_array_foreach ((json_t *)(uintptr_t)value, i, rule)
		if (!json_is_string(rule) ||
		    !limits_add(&sim->limits, json_string_value(rule), err))
			return error_wrap(err, "limit %zu", i);
	return true;
}

/* The old plan stays in force when the new one can't be read. */
static bool set_faults(struct simulator *sim, const json_t *order, struct error *err, nsec now)
{
	static struct fault_plan plan;

	if (!json_object_get(order, "fault") && !json_object_get(order, "schedule"))
		return true;
	plan = (struct fault_plan){0};
	if (!fault_plan_add(&plan, json_text(order, "fault", ""), err) ||
	    !fault_plan_schedule(&plan, json_text(order, "schedule", ""), err))
		return false;
	sim->plan = plan;
	sim->plan_start = now;
	return true;
}

static void forget(struct simulator *sim, nsec now)
{
	uint64_t in_flight = sim->stats.in_flight;

	memset(&sim->stats, 0, sizeof(sim->stats));
	sim->stats.start = now;
	sim->stats.in_flight = in_flight;
	map_clear(&sim->attempts);
	map_clear(&sim->seen);
	map_clear(&sim->clients);
	map_clear(&sim->cache.prefixes);
}

static bool obey(struct simulator *sim, const json_t *order, struct error *err, nsec now)
{
	const char *latency = json_text(order, "latency", NULL);
	double speed = json_number_or(order, "batch_speed", 0);
	const json_t *limit = json_object_get(order, "limit");

	if (!json_is_object(order))
		return error_set(err, ERROR_REJECT, "an object is expected");
	if (limit && !set_limits(sim, limit, err))
		return false;
	if (latency && !latency_parse(&sim->latency, latency, err))
		return false;
	if (!set_faults(sim, order, err, now))
		return false;
	sim->limits.hide_headers = json_bool_or(order, "hide_headers", sim->limits.hide_headers);
	sim->limits.hide_waits = json_bool_or(order, "hide_waits", sim->limits.hide_waits);
	sim->retry_after = json_number_or(order, "retry_after", sim->retry_after);
	sim->batch_run = json_number_or(order, "batch_run", sim->batch_run);
	sim->batch_tokens = json_integer_or(order, "batch_tokens", sim->batch_tokens);
	if (speed > 0)
		virtual_clock_set(&sim->clock, speed, now);
	if (json_object_get(order, "pause"))
		server_pause(sim->server, json_bool_or(order, "pause", false));
	if (json_bool_or(order, "forget", false))
		forget(sim, now);
	return true;
}

void control_handle(struct simulator *sim, struct exchange *x, nsec now)
{
	struct error err;

	if (strcmp(x->request.method, "POST") == 0) {
		json_auto_t *order = json_read(x->request.body, x->request.body_len, JSON_OURS,
					       &err);

		if (!order || !obey(sim, order, &err, now)) {
			x->reply.status = 400;
			buffer_text(&x->reply.body, "{\"error\":");
			text_quote(&x->reply.body, err.text);
			buffer_text(&x->reply.body, "}\n");
			return;
		}
	}
	write_state(sim, &x->reply.body, now);
}
