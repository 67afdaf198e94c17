/* The topics a configuration calls for, and what each is for. */
#ifndef SLUICE_CLI_TOPIC_LIST_H
#define SLUICE_CLI_TOPIC_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "topic.h"

struct topic_use {
	char name[TOPIC_TEXT];
	const char *use; /* "jobs", "intake", "results", "dead letters" */
	bool read_by_workers;
};

struct topic_list {
	struct topic_use *uses;
	size_t count;
};

void topic_list_fill(struct topic_list *list, const struct config *config);
void topic_list_finish(struct topic_list *list);

/* The largest message its broker must take: outcomes are larger than the job they are of. */
size_t topic_use_max_bytes(const struct topic_use *use, const struct kafka_settings *kafka);

#endif
