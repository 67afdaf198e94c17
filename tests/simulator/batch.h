/*
 * A batch of either provider and how it goes, in virtual time:
 *
 *	validating ─┬─► failed
 *	            └─► running ──► finalizing ─┬─► completed
 *	                   │                    └─► expired
 *	                   └─► cancelling ─► cancelled
 *
 * Anthropic's start out running. Each line gets a moment of its own within the
 * run, so results come in no order; a line is charged when its moment comes, and what was
 * not done when the batch ends is not.
 */
#ifndef SIMULATOR_BATCH_H
#define SIMULATOR_BATCH_H

#include "files.h"
#include "simulator.h"

enum batch_phase {
	BATCH_VALIDATING,
	BATCH_FAILED,
	BATCH_RUNNING,
	BATCH_FINALIZING,
	BATCH_COMPLETED,
	BATCH_EXPIRED,
	BATCH_CANCELLING,
	BATCH_CANCELLED,
	BATCH_PHASES,
};

enum line_fate {
	LINE_OPEN,
	LINE_DONE,   /* answered with 200, and charged */
	LINE_FAILED, /* answered with an error */
	LINE_LOST,   /* neither done nor told of */
	LINE_EXPIRED,
	LINE_CANCELLED,
};
#define LINE_FATES 6

struct batch_line {
	uint32_t start, len; /* in the input */
	char custom_id[65];
	char request_id[33];
	double moment; /* virtual seconds after the run starts */
	enum line_fate fate;
};

struct batch {
	enum maker maker;
	char id[48];
	char key[96];
	char input_file_id[40]; /* OpenAI */
	char model[96];		/* OpenAI: of all lines */
	char *metadata;		/* JSON, or NULL */
	char *errors;		/* JSON list of what failed its validation, or NULL */
	struct buffer input;	/* Anthropic: the body of the create; OpenAI: a copy of the file */
	struct batch_line *lines;
	size_t line_count;
	uint32_t *order; /* of the lines by moment */
	size_t next;	 /* in order */
	size_t counts[LINE_FATES];
	struct tokens tokens; /* used by all done */
	int64_t enqueued;     /* estimated prompt tokens */
	enum batch_phase phase;
	enum batch_phase outcome; /* what finalizing leads to */
	double at[BATCH_PHASES];  /* when it entered each phase; 0: never */
	double expires;
	bool faults[FAULT_COUNT];
	int looks;	/* how often it was retrieved */
	int cuts;	/* downloads that were cut */
	bool delivered; /* its results were downloaded whole */
	bool deleted;
	struct buffer output, failures; /* Anthropic has but one file */
	struct file *output_file, *error_file;
	struct dice dice;
	struct batch *older;
};

struct batches {
	struct batch *newest;
	uint64_t serial;
	struct map intents; /* input file or first custom_id → how many batches */
};

/* A new batch over `input` (taken over, and left empty). */
struct batch *batch_create(struct simulator *sim, enum maker maker, const char *key,
			   struct buffer *input, nsec now);
/* Add a line; false: there are more than a provider takes. */
bool batch_add_line(struct batch *batch, size_t start, size_t len, const char *custom_id);
void batch_start(struct simulator *sim, struct batch *batch, double at); /* run */
void batch_move(struct batch *batch, enum batch_phase phase, double at);
const char *batch_phase_name(enum batch_phase phase); /* as OpenAI spells it */
/* Should the reply to the create be lost? Then it is. */
void batch_lose_reply(const struct batch *batch, struct reply *reply);
bool batch_is_final(const struct batch *batch);
bool batch_is_hidden(const struct simulator *sim, const struct batch *batch, nsec now);

/* Which faults of a batch strike it, by plan and by wishes in its bytes. */
void batch_draw_faults(struct simulator *sim, struct batch *batch, const char *bytes, size_t len,
		       nsec now);
/* One fault for bytes that are no batch yet. */
bool batch_fault_strikes(struct simulator *sim, enum fault fault, const char *bytes, size_t len,
			 nsec now);

/* Move all batches on. True: there is more to do at once. */
bool batches_advance(struct simulator *sim, nsec now);
struct batch *batches_find(const struct simulator *sim, enum maker maker, const char *id);
void batch_delivered(struct simulator *sim, struct batch *batch);
void batches_write(const struct simulator *sim, struct buffer *out); /* for /control */
void batches_finish(struct batches *batches);

#define BATCH_MAX_OPENAI 50000
#define BATCH_MAX_ANTHROPIC 100000

#endif
