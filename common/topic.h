/*
 * The names of our topics, so that all who write to Kafka or read from it
 * agree. Which partition a message goes to: shard.h.
 *
 *	char topic[TOPIC_TEXT];
 *	topic_lane(topic, "sluice", "economy", LANE_NORMAL);    -- "sluice.economy.normal"
 */
#ifndef SLUICE_TOPIC_H
#define SLUICE_TOPIC_H

#include "job.h"

#define TOPIC_TEXT 250 /* Kafka's limit, with the final zero */

/* Each returns its first argument. The config has checked that names fit. */
const char *topic_lane(char topic[TOPIC_TEXT], const char *prefix, const char *tier,
		       enum lane lane);
const char *topic_intake(char topic[TOPIC_TEXT], const char *prefix);
const char *topic_results(char topic[TOPIC_TEXT], const char *prefix);
const char *topic_dead(char topic[TOPIC_TEXT], const char *prefix);

#endif
