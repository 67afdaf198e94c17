/*
 * The keys in force, read from Postgres every second: whose key a request
 * brings, what it may see and do, and how much of it (toll.h).
 *
 *	struct api_key *key = keyring_find(ring, web_token(request));
 *	if (!key && keyring_is_older(ring, x->started))
 *		keyring_wait(ring, x);          -- comes back with newer keys
 *
 * Keys are found by the id in them and compared by digest, in constant time.
 * While Postgres is away the last ones read stay in force.
 */
#ifndef API_KEYRING_H
#define API_KEYRING_H

#include <stdbool.h>

#include "clock.h"
#include "digest.h"
#include "json.h"
#include "toll.h"

#define API_KEY_PREFIX "slc_"
#define API_KEY_ID 13 /* twelve hex digits and the final zero */

enum api_right {
	RIGHT_NONE = 0, /* of a route: no key is wanted */
	RIGHT_SUBMIT = 1,
	RIGHT_READ = 2,
	RIGHT_COSTS = 4,
	RIGHT_OPERATE = 8,
};

struct api_key {
	char id[API_KEY_ID];
	struct digest digest;
	json_t *units; /* owned: array of texts; "*" is all */
	bool all_units;
	unsigned rights;
	char feature[129]; /* of its batches; "": none */
	struct purse purses[PURSE_COUNT];
	bool in_force;
	size_t users; /* exchanges that hold it */
};

struct api;
struct exchange;
struct keyring;

struct keyring *keyring_create(struct api *api);
void keyring_destroy(struct keyring *ring);

void keyring_run(struct keyring *ring, nsec now); /* reads when it is time */
bool keyring_is_loaded(const struct keyring *ring);
nsec keyring_wake_at(const struct keyring *ring);

/* Held by the caller until released. NULL: no such key. */
struct api_key *keyring_find(struct keyring *ring, const char *token);
void keyring_release(struct api_key *key);

/* The key of that id, held likewise; NULL: it is no longer in force. */
struct api_key *keyring_named(struct keyring *ring, const char *id);

bool keyring_is_older(const struct keyring *ring, nsec than);
void keyring_wait(struct keyring *ring, struct exchange *x);

bool api_key_sees(const struct api_key *key, const char *business_unit);
const char *api_key_only_unit(const struct api_key *key); /* NULL: several */

const char *api_right_name(enum api_right right);

#endif
