#include "spread.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "log.h"
#include "shard.h"
#include "topic.h"

#define SPREAD_TOPICS 64 /* 16 tiers of 3 lanes, and the dead topic */
#define LONGEST_ANSWER (2 * NSEC_PER_SEC)
#define GOOD_FOR (300 * NSEC_PER_SEC)
#define BAD_FOR (30 * NSEC_PER_SEC)

struct known_topic {
	char name[TOPIC_TEXT];
	int32_t partitions; /* 0: could not be asked about */
	nsec until;
};

struct spread {
	struct kafka_producer *producer;
	struct known_topic topics[SPREAD_TOPICS];
	size_t count;
};

struct spread *spread_create(struct kafka_producer *producer)
{
	struct spread *s = xcalloc(1, sizeof(*s));

	s->producer = producer;
	return s;
}

void spread_destroy(struct spread *s)
{
	free(s);
}

/* NULL: there are more topics than we remember. */
static struct known_topic *find(struct spread *s, const char *topic)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->topics[i].name, topic) == 0)
			return &s->topics[i];
	if (s->count == SPREAD_TOPICS || strlen(topic) >= TOPIC_TEXT)
		return NULL;
	memcpy(s->topics[s->count].name, topic, strlen(topic) + 1);
	return &s->topics[s->count++];
}

static void look_up(struct spread *s, struct known_topic *topic, nsec now)
{
	struct error err;
	bool found = kafka_producer_partitions(s->producer, topic->name, LONGEST_ANSWER,
					       &topic->partitions, &err);

	if (!found) {
		topic->partitions = 0;
		log_warn("partitions_unknown", "topic=%s why=%s", topic->name, err.text);
	}
	topic->until = now + (found ? GOOD_FOR : BAD_FOR);
}

int32_t spread_partition(struct spread *s, const char *topic, const char *business_unit,
			 const struct uuid *job_id, nsec now)
{
	struct known_topic *known = find(s, topic);

	if (!known)
		return -1;
	if (now >= known->until)
		look_up(s, known, now);
	if (known->partitions < 1)
		return -1;
	return shard_partition(business_unit, job_id->bytes, sizeof(job_id->bytes),
			       known->partitions, SHARD_SPREAD);
}

void spread_forget(struct spread *s, const char *topic)
{
	struct known_topic *known = find(s, topic);

	if (known)
		known->until = 0;
}
