#include "topic_list.h"

#include <stdlib.h>

#include "ensure.h"

#define OUTCOME_OVERHEAD (64 * 1024)

static struct topic_use *add(struct topic_list *list, const char *use, bool read_by_workers)
{
	struct topic_use *added = &list->uses[list->count++];

	added->use = use;
	added->read_by_workers = read_by_workers;
	return added;
}

void topic_list_fill(struct topic_list *list, const struct config *config)
{
	const char *prefix = config->kafka.prefix;

	list->uses = xcalloc(config->tier_count * LANE_AUTO + 3, sizeof(*list->uses));
	topic_intake(add(list, "intake", true)->name, prefix);
	for (size_t i = 0; i < config->tier_count; i++)
		for (enum lane lane = LANE_EXPRESS; lane < LANE_AUTO; lane++)
			topic_lane(add(list, "jobs", true)->name, prefix, config->tiers[i].name,
				   lane);
	topic_results(add(list, "results", false)->name, prefix);
	topic_dead(add(list, "dead letters", false)->name, prefix);
}

void topic_list_finish(struct topic_list *list)
{
	free(list->uses);
	*list = (struct topic_list){0};
}

size_t topic_use_max_bytes(const struct topic_use *use, const struct kafka_settings *kafka)
{
	/* A dead letter of a message carries its bytes in base64. */
	return use->read_by_workers ? kafka->max_message_bytes
				    : kafka->max_message_bytes / 3 * 4 + OUTCOME_OVERHEAD;
}
