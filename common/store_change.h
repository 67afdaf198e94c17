/*
 * What people do to jobs: cancel them, run them again. Asks and waits; for
 * commands and the REST shim's rare requests.
 *
 *	store_cancel(pg, ids, count, results, &err)
 *	store_rerun(pg, config->kafka.prefix, ids, count, &started, &err)
 */
#ifndef SLUICE_STORE_CHANGE_H
#define SLUICE_STORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "error.h"
#include "pg.h"
#include "uuid.h"

#define CANCEL_RESULTS(X)                                                                      \
	X(REQUESTED, "requested") /* committed: it will end cancelled, whoever holds it */     \
	X(BURIED, "not_seen")	  /* nobody has claimed it; its message drops when it comes */ \
	X(ENDED, "ended")	  /* too late: it has an outcome */

enum cancel_result {
#define CANCEL_RESULT(name, text) CANCEL_##name,
	CANCEL_RESULTS(CANCEL_RESULT)
#undef CANCEL_RESULT
};

const char *cancel_result_name(enum cancel_result result);

/* results[i] is that of ids[i]. Safe to do again. */
bool store_cancel(struct pg *pg, const struct uuid *ids, size_t count, enum cancel_result *results,
		  struct error *err) MUST_USE;

/*
 * A new run of jobs that have ended and whose payload is still kept; others are
 * left as they are. One transaction; *started is how many were hit. Keep the
 * groups to some hundreds.
 */
bool store_rerun(struct pg *pg, const char *prefix, const struct uuid *ids, size_t count,
		 size_t *started, struct error *err) MUST_USE;

/*
 * The two steps of it for those who must not wait: the arguments of
 * sql/queries/rerun.sql for jobs that rerun_look.sql found. The statement is
 * fenced by the run: a job that was hit by another in between is left.
 */
struct pg_args *store_rerun_args(const char *prefix, const struct pg_rows *found);

/* Headers of the message that moves a job: ours, and `others`, a JSON object or "". */
void store_move_headers(struct buffer *out, const struct uuid *event_id, int32_t run,
			const char *others);

#endif
