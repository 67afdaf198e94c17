/*
 * Places where a process can be made to die, stall or fail on purpose: how the
 * promises about crashes are proved. Compiled in only with -DFAILPOINTS; else
 * the macros are nothing.
 *
 *	FAILPOINT("K07");                       -- may kill this process or stall it
 *	if (FAILPOINT_ERROR("K11"))             -- true: behave as if the step had failed
 *		return error_set(err, ERROR_RETRY, "failpoint K11");
 *
 * The environment says which fire:
 *
 *	SLUICE_FAILPOINTS="K07=crash@3,K12=stall:2s,K11=error@0.1"
 *	SLUICE_FAILPOINT_SEED=42                -- makes probabilities come out the same
 *	SLUICE_FAILPOINT_LOG=/tmp/fired         -- one line is appended for each that fires
 *
 * Actions are crash (kill -9 of ourselves), segv, stall:DURATION and error.
 * "@3" is the third time the place is passed and only then, "@0.1" one in ten
 * of all times; crash and segv without "@" mean the first time, stall and error
 * every time. A name or action that is not known ends the process at once: a
 * fault that never fires proves nothing.
 */
#ifndef SLUICE_FAILPOINT_H
#define SLUICE_FAILPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "random.h"

#define FAILPOINTS_LIST(X)                                           \
	/* sync lane */                                              \
	X(K01, "message fetched from Kafka")                         \
	X(K02, "message decoded")                                    \
	X(K03, "claim sent to Postgres")                             \
	X(K04, "claim committed")                                    \
	X(K05, "offset stored")                                      \
	X(K06, "intent committed")                                   \
	X(K07, "request sent to the provider")                       \
	X(K08, "in the middle of the reply's body")                  \
	X(K09, "reply complete")                                     \
	X(K10, "finished call spooled to disk")                      \
	X(K11, "settle sent to Postgres")                            \
	X(K12, "COMMIT of settle sent, no answer yet")               \
	X(K13, "settle committed")                                   \
	X(K14, "outbox event handed to the producer")                \
	X(K15, "delivery reported by Kafka")                         \
	X(K16, "outbox row deleted")                                 \
	X(K17, "job in back-off")                                    \
	X(K18, "job parked")                                         \
	X(K19, "sweep has picked up owed outbox rows")               \
	X(K20, "partitions revoked")                                 \
	X(K21, "offsets committed")                                  \
	X(K22, "partitions assigned")                                \
	X(S01, "within the grace period after SIGTERM")              \
	/* batch lane */                                             \
	X(B01, "jobs joined to a batch")                             \
	X(B02, "batch intent committed")                             \
	X(B03, "file uploaded")                                      \
	X(B04, "batch created, its id not yet stored")               \
	X(B05, "batch polled")                                       \
	X(B06, "in the middle of a download")                        \
	X(B07, "a chunk of lines settled")                           \
	X(B08, "all lines settled, batch not yet closed")            \
	/* router */                                                 \
	X(T01, "intake message passed to the producer")              \
	X(T02, "delivery of an intake message reported")             \
	X(T03, "offset of the intake stored")                        \
	/* REST and webhooks */                                      \
	X(R01, "submitted row committed, its message not yet sent")  \
	X(R02, "message sent, client not yet answered")              \
	X(A01, "files of a batch written, the batch not yet closed") \
	X(W01, "webhook answered, not yet recorded")                 \
	X(W02, "webhook failure recorded")                           \
	X(W03, "webhook taken, not yet posted")

#ifdef FAILPOINTS
#define FAILPOINT(name) ((void)failpoint_hit(name))
#define FAILPOINT_ERROR(name) failpoint_hit(name)
#else
#define FAILPOINT(name) ((void)0)
#define FAILPOINT_ERROR(name) false
#endif

/* The place was passed. Reads the environment on first use. True: an error is wanted. */
bool failpoint_hit(const char *name);

/* --- what it is made of, for tests --- */

#define FAILPOINTS_MAX 64

enum failpoint_action {
	FAILPOINT_NONE,
	FAILPOINT_CRASH,
	FAILPOINT_SEGV,
	FAILPOINT_STALL,
	FAILPOINT_FAIL
};

struct failpoint {
	enum failpoint_action action;
	uint64_t stall; /* nanoseconds */
	uint64_t nth;	/* fires at this hit only; 0: by probability */
	double chance;	/* of every hit, where nth is 0 */
	uint64_t hits;
};

struct failpoint_plan {
	struct failpoint points[FAILPOINTS_MAX]; /* by index in the list */
	struct random random;
};

bool failpoint_plan_parse(struct failpoint_plan *plan, const char *text, uint64_t seed,
			  struct error *err) MUST_USE;

/* Count a hit of the place and say what it is to do. The name must be in the list. */
enum failpoint_action failpoint_plan_hit(struct failpoint_plan *plan, const char *name,
					 uint64_t *stall);

/* The step a name stands for; NULL if there is none. */
const char *failpoint_step(const char *name);

#endif
