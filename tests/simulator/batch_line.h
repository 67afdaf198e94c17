/*
 * One line of a batch: answering it, or saying why it was not, in the words of
 * the provider's result files.
 */
#ifndef SIMULATOR_BATCH_LINE_H
#define SIMULATOR_BATCH_LINE_H

#include "batch.h"

/* Answer the line, charge it, and write its result. */
void batch_line_run(struct simulator *sim, struct batch *batch, struct batch_line *line, nsec now);
/* It will not be answered any more: LINE_EXPIRED or LINE_CANCELLED. */
void batch_line_close(struct batch *batch, struct batch_line *line, enum line_fate fate);
/* Results that come twice or were never asked for, where a fault wants them. */
void batch_line_oddities(struct batch *batch);

#endif
