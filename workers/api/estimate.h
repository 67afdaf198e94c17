/*
 * What a job will probably take: tokens, dollars, time. An estimate, from the
 * length of its prompt, the prices of its tier and what is measured just now.
 *
 *	estimate_write(api, &parcel, wall, &writer);    -- the member "quote"
 */
#ifndef API_ESTIMATE_H
#define API_ESTIMATE_H

#include "api.h"
#include "envelope.h"
#include "json_writer.h"

void estimate_write(const struct api *api, const struct parcel *parcel, nsec wall, bool costs,
		    struct json_writer *w);

/* Tokens of its prompt, likely. */
int64_t estimate_tokens(const struct api *api, const struct parcel *parcel, nsec wall);

/* Seconds until a job with so many others ahead of it is through; negative: nothing is measured. */
double estimate_wait(const struct api *api, const char *tier, const char *lane, int64_t ahead);

/* "likely":"0.0000012", spelled without a currency sign. */
void estimate_put_usd(struct json_writer *w, const char *name, pico amount);

#endif
