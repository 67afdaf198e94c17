#include "envelope.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "quote.h"
#include "routing.h"
#include "schema.h"

void parcel_finish(struct parcel *parcel)
{
	buffer_finish(&parcel->bytes);
	job_destroy(parcel->job);
	free(parcel->business_unit);
	*parcel = (struct parcel){0};
}

/* --- filling in --- */

/* The object's bytes without its closing brace; false if they are no object. */
static bool open_object(struct buffer *bytes, const char *line, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	return len > 1 && line[len - 1] == '}' && buffer_append(bytes, line, len - 1);
}

static void add_member(struct buffer *bytes, const char *name, const json_t *value, bool first)
{
	AUTO(xfree) char *text = json_write(value);

	buffer_printf(bytes, "%s\"%s\":%s", first ? "" : ",", name, text);
}

static void add_id(struct buffer *bytes, const char *key)
{
	struct uuid id = uuid_make();
	char text[UUID_TEXT];

	if (key) {
		buffer_text(bytes, ",\"idempotency_key\":");
		quote_json(bytes, key, strlen(key));
	} else {
		buffer_printf(bytes, ",\"job_id\":\"%s\"", uuid_format(text, &id));
	}
}

/* A key from outside the line names the job alone, or says the same as the line. */
static bool check_key(const json_t *object, const char *key, struct error *err)
{
	const char *own = json_text(object, "idempotency_key", NULL);

	if (!key || (!json_object_get(object, "job_id") && (!own || strcmp(own, key) == 0)))
		return true;
	return error_set(err, ERROR_REJECT,
			 "%s names the job beside another idempotency key; leave one of them out",
			 own ? "/idempotency_key" : "/job_id");
}

static bool fill_in(const struct envelope_rules *rules, const char *line, size_t len,
		    struct buffer *bytes, struct error *err)
{
	json_auto_t *object = json_read(line, len, JSON_OURS, err);
	bool first = json_object_size(object) == 0;
	const char *name;
	json_t *value;

	if (!object)
		return false;
	if (!json_is_object(object) || !open_object(bytes, line, len))
		return error_set(err, ERROR_REJECT, "a job must be a JSON object");
	if (!check_key(object, rules->key, err))
		return false;
	json_object_foreach ((json_t *)rules->defaults, name, value) {
		if (json_object_get(object, name))
			continue;
		add_member(bytes, name, value, first);
		first = false;
	}
	if (!json_object_get(object, "job_id") && !json_object_get(object, "idempotency_key") &&
	    !json_object_get(object, "run"))
		add_id(bytes, rules->key);
	buffer_byte(bytes, '}');
	return true;
}

/* --- checking --- */

static bool check_schema(const struct job *job, struct error *err)
{
	AUTO(schema_destroy) struct schema *schema = NULL;

	if (!job->output_schema)
		return true;
	schema = schema_compile(job->output_schema, err);
	return schema || error_wrap(err, "/output/schema");
}

static bool check_tier(const struct config *config, const char *where, const char *tier,
		       struct error *err)
{
	return !*tier || strcmp(tier, "auto") == 0 || config_tier(config, tier) ||
	       error_set(err, ERROR_REJECT, "%s: tier \"%.60s\" is not configured", where, tier);
}

static bool check_candidate(const struct config *config, const struct job *job, struct error *err)
{
	const struct tier *tier = config_tier(config, job->tier);

	if (!*job->candidate)
		return true;
	if (!config_candidate_tier(config, job->candidate))
		return error_set(err, ERROR_REJECT,
				 "/routing/candidate: no tier has a candidate \"%.100s\" "
				 "(provider/model)",
				 job->candidate);
	if (tier && !tier_candidate(tier, job->candidate))
		return error_set(err, ERROR_REJECT,
				 "/routing/candidate: tier \"%.60s\" has no candidate \"%.100s\"",
				 tier->name, job->candidate);
	return true;
}

static bool check_job(const struct config *config, const struct job *job, struct error *err)
{
	if (job->thin)
		return error_set(err, ERROR_REJECT,
				 "a message with /run moves a job; it can't be submitted");
	if (*job->reply_topic && !config_allows_reply(config, job->reply_topic))
		return error_set(
			err, ERROR_REJECT,
			"/reply_topic: \"%.80s\" does not begin with one of kafka.reply_prefixes",
			job->reply_topic);
	return check_tier(config, "/routing/tier", job->tier, err) &&
	       check_tier(config, "/routing/max_tier", job->max_tier, err) &&
	       check_candidate(config, job, err) && check_schema(job, err);
}

/* --- where to --- */

static bool route_here(const struct envelope_rules *rules, const struct job *job, nsec wall,
		       struct parcel *parcel, struct error *err)
{
	struct routing_decision decision;

	if (!routing_decide(rules->config, job, rules->news, wall, &decision, err))
		return error_wrap(err, "route");
	json_auto_t *routed = routing_to_json(&decision);
	parcel->bytes.data[--parcel->bytes.len] = '\0'; /* the closing brace */
	add_member(&parcel->bytes, "routed", routed, false);
	buffer_byte(&parcel->bytes, '}');
	parcel->tier = decision.tier;
	parcel->lane = decision.lane;
	topic_lane(parcel->topic, rules->config->kafka.prefix, decision.tier->name, decision.lane);
	return true;
}

static bool address(const struct envelope_rules *rules, const struct job *job, nsec wall,
		    struct parcel *parcel, struct error *err)
{
	const char *prefix = rules->config->kafka.prefix;
	const struct tier *tier = config_tier(rules->config, job->tier);

	if (!tier && rules->route && !job->routed)
		return route_here(rules, job, wall, parcel, err);
	parcel->tier = tier;
	if (!tier) {
		topic_intake(parcel->topic, prefix);
		return true;
	}
	parcel->lane = job->lane == LANE_AUTO
			       ? routing_lane(rules->config, tier, job, rules->news, wall).lane
			       : job->lane;
	topic_lane(parcel->topic, prefix, tier->name, parcel->lane);
	return true;
}

static bool check_size(const struct envelope_rules *rules, const struct parcel *parcel,
		       struct error *err)
{
	size_t most = rules->config->kafka.max_message_bytes;

	return parcel->bytes.len <= most ||
	       error_set(err, ERROR_REJECT,
			 "the message is %zu bytes; kafka.max_message_bytes is %zu",
			 parcel->bytes.len, most);
}

bool envelope_pack(const struct envelope_rules *rules, const char *line, size_t len, nsec wall,
		   struct parcel *parcel, struct error *err)
{
	struct job_source nowhere = {.cluster = "", .topic = ""};

	*parcel = (struct parcel){0};
	if (!fill_in(rules, line, len, &parcel->bytes, err))
		return false;
	struct job *job = job_read(rules->reader, parcel->bytes.data, parcel->bytes.len, &nowhere,
				   err);
	parcel->job = job;
	if (!job || !check_job(rules->config, job, err))
		return false;
	parcel->id = job->id;
	parcel->business_unit = xstrdup(job->business_unit);
	return address(rules, job, wall, parcel, err) && check_size(rules, parcel, err);
}
