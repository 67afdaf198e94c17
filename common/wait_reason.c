#include "wait_reason.h"

#include <string.h>

#include "compiler.h"

static const struct {
	const char *reason;
	const char *words;
} reasons[] = {
	{"rate_hold",
	 "the provider's rate limit, or ours that keeps below it, is used up until then"},
	{"rate", "the provider's rate limit, or ours that keeps below it, is used up until then"},
	{"share", "the business unit has its share of a limit in use; others go first"},
	{"quota", "a limit that is kept for the provider, or for the business unit, is used up"},
	{"budget", "a budget is used up; raise it, or wait for its next period"},
	{"breaker", "every candidate of the tier has failed too often lately and is left alone"},
	{"credential",
	 "the provider refuses our key or our account has no money: an operator must act"},
	{"connections", "all connections to the provider are in use"},
	{"no_candidate", "no candidate of the tier is fit for it now"},
	{"backoff", "the last attempt failed; the next one waits a little longer each time"},
	{"throttled", "the provider told us to wait"},
	{"retry", "the last attempt failed; it is tried again then"},
	{"fallback", "the last attempt failed; another candidate is tried then"},
	{"batch_closed", "the batch it was to join had left; it joins the next one"},
	{"not_before", "the job asked not to be started before then"},
	{"orphan", "its worker died; the next one with room takes it"},
	{"handed_back", "its worker was stopped; the next one with room takes it"},
	{"approval", "somebody must approve it"},
	{"same_job",
	 "exactly the same is being asked for another job; its answer, and its cost, are for both"},
	{"cancel", "it is being cancelled"},
	{"deadline_near", "a provider's batch may come too late; it goes on call by call"},
	{"turn", "others of its tier go first, or the worker has its hands full"},
	{"queued", "a worker with room: its message is on the topic, or on its way there"},
	{"batch", "the provider's batch it is part of"},
	{"earlier", "several waits before those that follow, summed up"},
};

const char *wait_reason_words(const char *reason)
{
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].words;
	return "the reason and the date that stand here";
}

const char *wait_reason_now(const char *state, const char *reason)
{
	if (strcmp(state, "queued") == 0)
		return wait_reason_words("queued");
	if (strcmp(state, "claimed") == 0)
		return "a worker has it: it is being called, or about to be";
	if (strcmp(state, "batched") == 0)
		return wait_reason_words("batch");
	return strcmp(state, "parked") == 0 ? wait_reason_words(reason) : NULL;
}
