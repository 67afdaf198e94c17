/* What `jobs retry` and `dead replay` share. */
#ifndef SLUICE_CLI_JOBS_CHANGE_H
#define SLUICE_CLI_JOBS_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "session.h"
#include "uuid.h"

/* Run jobs again, group by group; *started is how many had ended and could be. */
bool jobs_rerun(struct session *session, const struct uuid *ids, size_t count, size_t *started,
		struct error *err) MUST_USE;

#endif
