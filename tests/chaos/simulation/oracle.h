/*
 * The invariants of the protocol, looked at after every step: only what the
 * step touched can have changed. The oracle keeps its own shadow of every job
 * and knows nothing of how the tables or the workers came to do what they did.
 *
 *	I1  no job is lost: all that was submitted ends
 *	I2  one outcome per job and run; its events are one event
 *	I3  ledger = bill, attempt by attempt; unknown ones stand at their bound
 *	I4  accepted calls per (job, run, hop) ≤ 1 + faults that hit it
 *	I5  no offset is committed beyond a message that is not safe in the tables
 *	I7  every outcome has its follow-up, no follow-up is without its outcome
 *	I8  only who holds a job decides it, and nobody takes it from one who lives
 *	I10 after healing everything ends in time
 *	I13 a job whose cancellation was acknowledged is never done
 */
#ifndef SIMULATION_ORACLE_H
#define SIMULATION_ORACLE_H

#include "world.h"

/* A statement has been executed: look at the rows it touched. */
void oracle_look(struct world *world);

/* A settlement by this worker is about to be executed: may it decide? */
void oracle_before_settle(struct world *world, const struct uuid *sender,
			  struct settlement *const *settlements, size_t count);
void oracle_after_settle(struct world *world, const struct decided_row *decided, size_t count);

/* Orphans were repaired: whose were they? */
void oracle_repaired(struct world *world);

void oracle_accepted(struct world *world, const struct phone_call *call);
void oracle_billed(struct world *world, const struct phone_call *call);
void oracle_canceled(struct world *world, int job, enum cancel_stood stood);
void oracle_rerun(struct world *world, int job);
void oracle_committed(struct world *world, int log, int64_t from, int64_t to);
void oracle_published(struct world *world, const char *topic, const struct uuid *event_id,
		      const char *body);

/* A request for this attempt is on the wire. */
void oracle_sent(struct world *world, const struct uuid *attempt_id);
bool oracle_was_sent(const struct world *world, const struct uuid *attempt_id);

/* A fault hit this job: it may cost one call more. */
void oracle_excuse(struct world *world, const struct uuid *job_id, int32_t run, int32_t hop);

/* The end: nothing is open any more. */
bool oracle_is_quiet(const struct world *world);
void oracle_end(struct world *world);

#endif
