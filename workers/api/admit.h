/*
 * From jobs to rows: whatever requests bring together goes to Postgres
 * together, one statement for a group. The row and the debt of its message are
 * one transaction; the message is published right after it.
 *
 *	admit_add(admit, &entry->admission);    -- told() follows, from the loop
 *	admit_run(admit);
 *
 * A job whose id is taken is compared with what stands: the same job is as good
 * as accepted, another one is a conflict.
 */
#ifndef API_ADMIT_H
#define API_ADMIT_H

#include "api.h"
#include "envelope.h"

enum admission_result {
	ADMISSION_NEW,
	ADMISSION_SAME,	    /* it stood there already */
	ADMISSION_CONFLICT, /* another job has its id: `standing` is its fingerprint */
	ADMISSION_TAKEN,    /* the id is another unit's, or of a job that is no more */
	ADMISSION_FAILED,   /* see err */
};

struct admission {
	struct parcel parcel;
	const char *headers; /* that come back on every event: a JSON object or ""; borrowed */
	void (*told)(struct admission *admission);
	enum admission_result result;
	struct digest standing;
	struct error err;
	bool alone; /* a group with it has failed */
	struct admission *next;
};

struct admit *admit_create(struct api *api);
void admit_destroy(struct admit *admit);

/* Borrows it until told() was called. */
void admit_add(struct admit *admit, struct admission *admission);
void admit_run(struct admit *admit);
bool admit_is_empty(const struct admit *admit);

#endif
