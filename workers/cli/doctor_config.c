#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"

#define LITTLE_SPACE ((uint64_t)1 << 30)

/* Keys are never shown, not even a part: doctors' reports are pasted into tickets. */
static void look_at_endpoint(struct findings *findings, const struct endpoint *endpoint)
{
	if (*endpoint->key)
		findings_add(findings, FINDING_OK, "provider",
			     "%s: %s, key \"%s\" is set (%zu characters)", endpoint->name,
			     endpoint->base_url, endpoint->credential, strlen(endpoint->key));
	else if (endpoint->self_hosted)
		findings_add(findings, FINDING_OK, "provider", "%s: %s, no key", endpoint->name,
			     endpoint->base_url);
	else
		findings_add(findings, FINDING_WARN, "provider",
			     "%s: %s has no key: its calls will be refused; set providers.%s.key",
			     endpoint->name, endpoint->base_url, endpoint->name);
}

static void look_at_tier(struct findings *findings, const struct tier *tier)
{
	size_t unknown = 0;
	const char *name = "";

	for (size_t i = 0; i < tier->candidate_count; i++) {
		if (tier->candidates[i].traits.known)
			continue;
		unknown++;
		name = tier->candidates[i].model;
	}
	if (unknown > 0)
		findings_add(findings, FINDING_WARN, "tier",
			     "%s: %zu of %zu models are not known to Sluice (such as %s): cautious "
			     "defaults hold; "
			     "their traits can be configured",
			     tier->name, unknown, tier->candidate_count, name);
	else
		findings_add(findings, FINDING_OK, "tier", "%s: %zu candidates", tier->name,
			     tier->candidate_count);
}

static void look_at_spool(struct findings *findings, const char *dir)
{
	struct statvfs space;

	if (access(dir, W_OK) != 0 || statvfs(dir, &space) != 0) {
		findings_add(findings, errno == ENOENT ? FINDING_WARN : FINDING_FAIL, "spool",
			     "%s: %s; workers keep finished calls there while Postgres is away "
			     "(worker.spool_dir)",
			     dir, strerror(errno));
		return;
	}
	if ((uint64_t)space.f_bavail * space.f_frsize < LITTLE_SPACE)
		findings_add(findings, FINDING_WARN, "spool",
			     "%s has less than 1 GiB of free space", dir);
	else
		findings_add(findings, FINDING_OK, "spool", "%s can be written", dir);
}

void doctor_config(struct findings *findings, const struct config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++)
		look_at_endpoint(findings, &config->endpoints[i]);
	for (size_t i = 0; i < config->tier_count; i++)
		look_at_tier(findings, &config->tiers[i]);
	look_at_spool(findings, config->worker.spool_dir);
}
