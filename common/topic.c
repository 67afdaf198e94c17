#include "topic.h"

#include <stdio.h>

const char *topic_lane(char topic[TOPIC_TEXT], const char *prefix, const char *tier, enum lane lane)
{
	snprintf(topic, TOPIC_TEXT, "%s.%s.%s", prefix, tier, lane_name(lane));
	return topic;
}

const char *topic_intake(char topic[TOPIC_TEXT], const char *prefix)
{
	snprintf(topic, TOPIC_TEXT, "%s.intake", prefix);
	return topic;
}

const char *topic_results(char topic[TOPIC_TEXT], const char *prefix)
{
	snprintf(topic, TOPIC_TEXT, "%s.results", prefix);
	return topic;
}

const char *topic_dead(char topic[TOPIC_TEXT], const char *prefix)
{
	snprintf(topic, TOPIC_TEXT, "%s.dead", prefix);
	return topic;
}
