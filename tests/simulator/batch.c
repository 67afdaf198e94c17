#include "batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch_line.h"
#include "ensure.h"
#include "openai_batches.h"
#include "text.h"

#define DAY 86400.0
#define FINALIZE 30.0
#define CANCEL 120.0
#define LINES_A_TURN 500

struct batch *batch_create(struct simulator *sim, enum maker maker, const char *key,
			   struct buffer *input, nsec now)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));
	double at = virtual_clock_read(&sim->clock, now);

	batch->maker = maker;
	batch->dice = dice_seeded(hash_mix(sim->seed ^ 0x6261746368u, ++sim->batches->serial));
	memcpy(batch->id, maker == OPENAI ? "batch_" : "msgbatch_", maker == OPENAI ? 6 : 9);
	dice_name(&batch->dice, batch->id + strlen(batch->id), 24);
	snprintf(batch->key, sizeof(batch->key), "%s", key);
	batch->input = *input;
	*input = (struct buffer){0};
	batch->expires = at + DAY;
	batch_move(batch, BATCH_VALIDATING, at);
	batch->older = sim->batches->newest;
	sim->batches->newest = batch;
	return batch;
}

bool batch_add_line(struct batch *batch, size_t start, size_t len, const char *custom_id)
{
	size_t most = batch->maker == OPENAI ? BATCH_MAX_OPENAI : BATCH_MAX_ANTHROPIC;
	size_t count = batch->line_count;
	struct batch_line *line;

	if (count == most)
		return false;
	if ((count & (count - 1)) == 0) /* room doubles at every power of two */
		batch->lines = xrealloc(batch->lines,
					(count ? count * 2 : 1) * sizeof(*batch->lines));
	line = &batch->lines[batch->line_count++];
	*line = (struct batch_line){.start = (uint32_t)start, .len = (uint32_t)len};
	snprintf(line->custom_id, sizeof(line->custom_id), "%s", custom_id);
	batch->counts[LINE_OPEN]++;
	batch->enqueued += (int64_t)len / 4;
	return true;
}

void batch_move(struct batch *batch, enum batch_phase phase, double at)
{
	batch->phase = phase;
	batch->at[phase] = at;
}

bool batch_is_final(const struct batch *batch)
{
	return batch->phase == BATCH_FAILED || batch->phase == BATCH_COMPLETED ||
	       batch->phase == BATCH_EXPIRED || batch->phase == BATCH_CANCELLED;
}

/* --- faults --- */

bool batch_fault_strikes(struct simulator *sim, enum fault fault, const char *bytes, size_t len,
			 nsec now)
{
	static const char *const scopes[] = {"batch"};
	uint64_t hash = hash_mix(hash_bytes(bytes, len, sim->seed), (uint64_t)fault);
	struct dice dice = dice_seeded(hash_mix(hash, (*map_slot(&sim->seen, hash))++));

	if (!wishes_batch(bytes, len, fault, &sim->attempts) &&
	    !fault_plan_strikes(&sim->plan, fault, now - sim->plan_start, scopes, 1, &dice))
		return false;
	sim->stats.faults[fault]++;
	return true;
}

void batch_draw_faults(struct simulator *sim, struct batch *batch, const char *bytes, size_t len,
		       nsec now)
{
	for (enum fault fault = FAULT_BATCH_LOST_CREATE; fault < FAULT_COUNT; fault++)
		batch->faults[fault] = batch_fault_strikes(sim, fault, bytes, len, now);
}

bool batch_is_hidden(const struct simulator *sim, const struct batch *batch, nsec now)
{
	double age = virtual_clock_read(&sim->clock, now) - batch->at[BATCH_VALIDATING];

	return batch->deleted || (batch->faults[FAULT_BATCH_HIDDEN] && age < sim->batch_hide);
}

/* Lost to the first two looks and the fifth. */
static bool is_lost(const struct batch *batch)
{
	int look = batch->looks;

	return batch->faults[FAULT_BATCH_FLAP] && (look == 1 || look == 2 || look == 5);
}

struct batch *batches_find(const struct simulator *sim, enum maker maker, const char *id)
{
	for (struct batch *batch = sim->batches->newest; batch; batch = batch->older) {
		if (batch->maker != maker || batch->deleted || strcmp(batch->id, id) != 0)
			continue;
		batch->looks++;
		return is_lost(batch) ? NULL : batch;
	}
	return NULL;
}

void batch_lose_reply(const struct batch *batch, struct reply *reply)
{
	if (batch->faults[FAULT_BATCH_LOST_CREATE] || batch->faults[FAULT_BATCH_HANG_CREATE]) {
		reply->cut = CUT_AT_ONCE;
		reply->end = batch->faults[FAULT_BATCH_HANG_CREATE] ? END_HANG : END_RESET;
	}
}

/* --- running --- */

static int by_moment(const void *a, const void *b, void *lines)
{
	double left = ((const struct batch_line *)lines)[*(const uint32_t *)a].moment;
	double right = ((const struct batch_line *)lines)[*(const uint32_t *)b].moment;

	return (left > right) - (left < right);
}

void batch_start(struct simulator *sim, struct batch *batch, double at)
{
	double length = sim->batch_run * (0.5 + 0.5 * dice_unit(&batch->dice));

	batch->order = xcalloc(batch->line_count + 1, sizeof(*batch->order));
	for (size_t i = 0; i < batch->line_count; i++) {
		struct batch_line *line = &batch->lines[i];

		batch->order[i] = (uint32_t)i;
		line->moment = length * dice_unit(&batch->dice);
		if (batch->faults[FAULT_BATCH_STUCK] ||
		    (batch->faults[FAULT_BATCH_EXPIRE] && i % 2 == 1))
			line->moment = 2 * DAY;
		if (batch->faults[FAULT_BATCH_MISSING] && i % 10 == 0) {
			line->fate = LINE_LOST;
			batch->counts[LINE_OPEN]--;
			batch->counts[LINE_LOST]++;
		}
	}
	qsort_r(batch->order, batch->line_count, sizeof(*batch->order), by_moment, batch->lines);
	batch_move(batch, BATCH_RUNNING, at);
}

/* Work on the lines whose moment has come before `until`. True: some are left. */
static bool run_lines(struct simulator *sim, struct batch *batch, double until, nsec now)
{
	double passed = until - batch->at[BATCH_RUNNING];

	for (int i = 0; batch->next < batch->line_count; batch->next++) {
		struct batch_line *line = &batch->lines[batch->order[batch->next]];

		if (line->moment > passed)
			return false;
		if (line->fate == LINE_LOST)
			continue;
		if (i++ == LINES_A_TURN)
			return true;
		batch_line_run(sim, batch, line, now);
	}
	return false;
}

static void close_lines(struct batch *batch, enum line_fate fate)
{
	for (; batch->next < batch->line_count; batch->next++) {
		struct batch_line *line = &batch->lines[batch->order[batch->next]];

		if (line->fate == LINE_OPEN)
			batch_line_close(batch, line, fate);
	}
}

/* The bill is on the disk before anybody can see the results. */
static void publish(struct simulator *sim, struct batch *batch, double at, nsec now)
{
	batch_line_oddities(batch);
	bill_secure(sim->bill, SIZE_MAX);
	if (batch->maker == OPENAI)
		openai_batch_publish(sim, batch, now);
	batch_move(batch, batch->outcome, at);
}

static void end_run(struct batch *batch, double at, enum batch_phase outcome)
{
	batch->outcome = outcome;
	batch_move(batch, BATCH_FINALIZING, at);
}

/* True: there is more to do at once. */
static bool advance(struct simulator *sim, struct batch *batch, double at, nsec now)
{
	double until = at < batch->expires ? at : batch->expires;
	double cancelled = batch->at[BATCH_CANCELLING] + CANCEL;

	switch (batch->phase) {
	case BATCH_VALIDATING:
		if (at >= batch->at[BATCH_VALIDATING] + sim->batch_validate)
			openai_batch_validate(sim, batch, at);
		return false;
	case BATCH_RUNNING:
		if (run_lines(sim, batch, until, now))
			return true;
		if (batch->next == batch->line_count) {
			end_run(batch, at, BATCH_COMPLETED);
		} else if (at >= batch->expires) {
			close_lines(batch, LINE_EXPIRED);
			end_run(batch, at, BATCH_EXPIRED);
		}
		return false;
	case BATCH_CANCELLING:
		/* What was under way goes on for a moment. */
		if (batch->order && run_lines(sim, batch, at < cancelled ? at : cancelled, now))
			return true;
		if (at < cancelled)
			return false;
		if (batch->order)
			close_lines(batch, LINE_CANCELLED);
		batch->outcome = BATCH_CANCELLED;
		publish(sim, batch, at, now);
		return false;
	case BATCH_FINALIZING:
		if (at >= batch->at[BATCH_FINALIZING] + FINALIZE)
			publish(sim, batch, at, now);
		return false;
	default:
		return false;
	}
}

bool batches_advance(struct simulator *sim, nsec now)
{
	double at = virtual_clock_read(&sim->clock, now);
	bool more = false;

	for (struct batch *batch = sim->batches->newest; batch; batch = batch->older)
		if (!batch_is_final(batch))
			more |= advance(sim, batch, at, now);
	return more;
}

void batch_delivered(struct simulator *sim, struct batch *batch)
{
	if (batch->delivered)
		return;
	batch->delivered = true;
	for (size_t i = 0; i < batch->line_count; i++)
		if (batch->lines[i].fate == LINE_DONE)
			bill_delivered(sim->bill, batch->lines[i].custom_id,
				       batch->lines[i].request_id, true, NULL);
}

/* --- telling --- */

const char *batch_phase_name(enum batch_phase phase)
{
	static const char *const names[BATCH_PHASES] = {
		"validating", "failed",	 "in_progress", "finalizing",
		"completed",  "expired", "cancelling",	"cancelled",
	};

	return names[phase];
}

static void write_batch(const struct batch *batch, struct buffer *out)
{
	buffer_printf(out,
		      "{\"id\":\"%s\",\"provider\":\"%s\",\"status\":\"%s\",\"input_file_id\":",
		      batch->id, maker_name(batch->maker), batch_phase_name(batch->phase));
	text_quote(out, batch->input_file_id);
	buffer_printf(out, ",\"metadata\":%s,\"first_custom_id\":",
		      batch->metadata ? batch->metadata : "null");
	text_quote(out, batch->line_count ? batch->lines[0].custom_id : "");
	buffer_printf(out,
		      ",\"lines\":%zu,\"done\":%zu,\"failed\":%zu,\"lost\":%zu,\"expired\":%zu,"
		      "\"cancelled\":%zu,\"looks\":%d,\"delivered\":%s}",
		      batch->line_count, batch->counts[LINE_DONE], batch->counts[LINE_FAILED],
		      batch->counts[LINE_LOST], batch->counts[LINE_EXPIRED],
		      batch->counts[LINE_CANCELLED], batch->looks,
		      batch->delivered ? "true" : "false");
}

void batches_write(const struct simulator *sim, struct buffer *out)
{
	size_t count = 0;

	buffer_text(out, ",\"batches\":[");
	for (const struct batch *batch = sim->batches->newest; batch; batch = batch->older) {
		if (count++ > 0)
			buffer_byte(out, ',');
		write_batch(batch, out);
	}
	buffer_printf(out, "],\"batch_count\":%zu,\"batch_repeats\":%" PRIu64, count,
		      sim->batch_repeats);
}

void batches_finish(struct batches *batches)
{
	struct batch *batch;

	while ((batch = batches->newest) != NULL) {
		batches->newest = batch->older;
		free(batch->metadata);
		free(batch->errors);
		free(batch->lines);
		free(batch->order);
		buffer_finish(&batch->input);
		buffer_finish(&batch->output);
		buffer_finish(&batch->failures);
		free(batch);
	}
	map_finish(&batches->intents);
}
