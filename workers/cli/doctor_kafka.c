#include <inttypes.h>
#include <stdlib.h>

#include "doctor.h"
#include "ensure.h"
#include "kafka_admin.h"
#include "topic_list.h"

#define LONGEST (10 * NSEC_PER_SEC)

/* False when the cluster does not tell. */
static bool look_at_size(struct findings *findings, struct kafka_admin *admin,
			 const struct topic_use *use, size_t wanted)
{
	struct error err;
	AUTO(xfree) char *value = kafka_admin_setting(admin, use->name, "max.message.bytes", &err);

	if (!value) {
		findings_add(findings, FINDING_WARN, "kafka",
			     "%s: its max.message.bytes is not told: %s", use->name, err.text);
		return false;
	}
	if (strtoull(value, NULL, 10) < wanted)
		findings_add(findings, FINDING_FAIL, "kafka",
			     "%s: max.message.bytes is %s, %zu is needed", use->name, value,
			     wanted);
	return true;
}

static bool look_at_topic(struct findings *findings, const struct topic_use *use,
			  const struct kafka_topic *topic)
{
	if (!topic) {
		findings_add(findings, FINDING_FAIL, "kafka",
			     "%s is missing: run `sluice topics create`", use->name);
		return false;
	}
	if (topic->leaderless > 0)
		findings_add(findings, FINDING_FAIL, "kafka",
			     "%s: %" PRId32 " of %" PRId32 " partitions have no leader", use->name,
			     topic->leaderless, topic->partitions);
	return topic->leaderless == 0;
}

/* The first of each kind stands for all of it: they are made with the same settings. */
static void look_at_sizes(struct findings *findings, struct kafka_admin *admin,
			  const struct topic_list *list, const struct kafka_settings *kafka)
{
	const struct topic_use *of_jobs = NULL, *of_outcomes = NULL;

	for (size_t i = list->count; i-- > 0;)
		*(list->uses[i].read_by_workers ? &of_jobs : &of_outcomes) = &list->uses[i];
	if (look_at_size(findings, admin, of_jobs, topic_use_max_bytes(of_jobs, kafka)))
		look_at_size(findings, admin, of_outcomes, topic_use_max_bytes(of_outcomes, kafka));
}

static void look_at_topics(struct findings *findings, struct kafka_admin *admin,
			   const struct config *config, const struct kafka_topics *topics)
{
	AUTO_FINISH(topic_list_finish) struct topic_list list = {0};
	size_t good = 0;

	topic_list_fill(&list, config);
	for (size_t i = 0; i < list.count; i++)
		good += look_at_topic(findings, &list.uses[i],
				      kafka_topics_find(topics, list.uses[i].name));
	findings_add(findings, good == list.count ? FINDING_OK : FINDING_WARN, "kafka",
		     "%zu of %zu topics are fine", good, list.count);
	if (good == list.count)
		look_at_sizes(findings, admin, &list, &config->kafka);
}

void doctor_kafka(struct findings *findings, const struct config *config)
{
	struct kafka_connection connection = {.brokers = config->kafka.brokers,
					      .client_id = "sluice-doctor",
					      .options = config->kafka.options};
	AUTO_FINISH(kafka_topics_finish) struct kafka_topics topics = {0};
	struct error err;
	AUTO(kafka_admin_destroy)
	struct kafka_admin *admin = kafka_admin_create(&connection, LONGEST, &err);

	if (!admin || !kafka_admin_topics(admin, &topics, &err)) {
		findings_add(findings, FINDING_FAIL, "kafka", "%s: %s", config->kafka.brokers,
			     err.text);
		return;
	}
	findings_add(findings, FINDING_OK, "kafka", "%s answers", config->kafka.brokers);
	look_at_topics(findings, admin, config, &topics);
}
