#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"

static const char *const topics[TIERS] = {"sluice.economy.normal", "sluice.standard.normal",
					  "sluice.frontier.normal"};

void broker_init(struct broker *broker)
{
	*broker = (struct broker){0};
	relation_init(&broker->published, sizeof(struct published), 8192);
	broker_clear(broker);
}

void broker_clear(struct broker *broker)
{
	for (int i = 0; i < LOGS; i++) {
		struct partition *p = &broker->partitions[i];

		*p = (struct partition){.messages = p->messages, .room = p->room, .owner = -1};
	}
	memset(broker->members, 0, sizeof(broker->members));
	broker->generation = broker->assignments = 0;
	broker->away = false;
	relation_clear(&broker->published);
}

void broker_finish(struct broker *broker)
{
	for (int i = 0; i < LOGS; i++)
		free(broker->partitions[i].messages);
	relation_finish(&broker->published);
}

void broker_append(struct broker *broker, int partition, const struct message *message)
{
	struct partition *p = &broker->partitions[partition];

	if (p->count == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->messages = xrealloc(p->messages, (size_t)p->room * sizeof(*p->messages));
	}
	p->messages[p->count++] = *message;
}

void broker_join(struct broker *broker, int slot, uint64_t life)
{
	broker->members[slot].in = true;
	broker->members[slot].life = life;
}

void broker_leave(struct broker *broker, int slot)
{
	broker->members[slot].in = false;
}

void broker_rebalance(struct broker *broker, unsigned first)
{
	int slots[SLOTS];
	unsigned count = 0;

	for (int i = 0; i < SLOTS; i++)
		if (broker->members[i].in)
			slots[count++] = i;
	broker->generation++;
	for (unsigned i = 0; i < LOGS; i++) {
		struct partition *p = &broker->partitions[i];

		p->owner = count ? slots[(i + first) % count] : -1;
		p->life = count ? broker->members[p->owner].life : 0;
		p->assignment = ++broker->assignments;
	}
}

bool broker_commit(struct broker *broker, int slot, uint64_t life, int partition, int64_t next)
{
	struct partition *p = &broker->partitions[partition];

	if (broker->away || p->owner != slot || p->life != life)
		return false;
	p->committed = next;
	return true;
}

int broker_log(int tier, int partition)
{
	return tier * PARTITIONS + partition;
}

const char *broker_topic(int log)
{
	return topics[log / PARTITIONS];
}

int broker_log_of(const char *topic, unsigned key)
{
	for (int tier = 0; tier < TIERS; tier++)
		if (strcmp(topics[tier], topic) == 0)
			return broker_log(tier, (int)(key % PARTITIONS));
	return -1;
}
