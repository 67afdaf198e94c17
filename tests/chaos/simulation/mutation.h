/*
 * Bugs to be seeded on purpose: each breaks one rule of the protocol, in the
 * models or in the simulated worker, and names the invariants of which one must
 * notice. An oracle that was never seen red is no evidence.
 */
#ifndef SIMULATION_MUTATION_H
#define SIMULATION_MUTATION_H

#define MUTATIONS(X)                                                                               \
	X(NO_EPOCH_GUARD, "no-epoch-guard", "I8",                                                  \
	  "a decision counts whatever epoch it was made under")                                    \
	X(FORGET_OUTBOX, "forget-outbox", "I7", "settle decides and owes nothing to the outside")  \
	X(MONEY_IN_FENCE, "money-in-fence", "I3", "money is booked only if the decision hits")     \
	X(BOOK_TWICE, "book-twice", "I3", "closing an attempt does not ask whether it is open")    \
	X(NO_WRITE_OFF, "no-write-off", "I3", "repair forgets the open attempts of an orphan")     \
	X(IGNORE_CANCEL, "ignore-cancel", "I13",                                                   \
	  "neither settle nor worker looks at cancel_requested")                                   \
	X(IGNORE_TOMBSTONE, "ignore-tombstone", "I13",                                             \
	  "a claim inserts a job that was cancelled unseen")                                       \
	X(HOP_STAYS, "hop-stays", "I7",                                                            \
	  "a job that moves keeps its hop, so its message is a duplicate")                         \
	X(DROP_FOLLOW_UP, "drop-follow-up", "I5",                                                  \
	  "a follow-up read together with its job's envelope is taken for a repetition")           \
	X(SHARED_CLAIM_ID, "shared-claim-id", "I4 I5",                                             \
	  "messages of one job are claimed under one id")                                          \
	X(SETTLE_BY_JOB, "settle-by-job", "I2",                                                    \
	  "a worker takes any decision on its job for its own")                                    \
	X(LEAVE_INTENT, "leave-intent", "I3",                                                      \
	  "an intent that was refused the second time stays open from the first")                  \
	X(JUDGE_BY_THE_PAST, "judge-by-the-past", "I8",                                            \
	  "after an outage a worker judges the others by beats of before")                         \
	X(OFFSET_BEFORE_COMMIT, "offset-before-commit", "I5",                                      \
	  "offsets are stored when the claim is sent")                                             \
	X(PUBLISH_EARLY, "publish-early", "I7", "events leave before what they say has committed") \
	X(SWALLOW_DELIVERY, "swallow-delivery", "I7",                                              \
	  "an event that was not delivered is taken for paid")                                     \
	X(REUSE_ATTEMPT, "reuse-attempt", "I3",                                                    \
	  "the next call of a job goes out under the same attempt id")                             \
	X(SEND_ON_OLD_BEAT, "send-on-old-beat", "I4",                                              \
	  "a worker calls however old its last beat is")                                           \
	X(FLOAT_MONEY, "float-money", "I3", "what a call cost is rounded as a float of dollars")   \
	X(CALL_BEFORE_INTENT, "call-before-intent", "I3",                                          \
	  "a call leaves before its intent has committed")

enum mutation {
	MUTATION_NONE,
#define MUTATION(name, text, invariant, what) MUTATION_##name,
	MUTATIONS(MUTATION)
#undef MUTATION
		MUTATION_COUNT,
};

#endif
