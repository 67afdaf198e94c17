#include "keyring.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "exchange.h"
#include "log.h"
#include "utf8.h"

#define READ_EVERY NSEC_PER_SEC
#define TRY_EVERY (NSEC_PER_SEC / 10) /* while Postgres is away */
#define HEX "0123456789abcdef"

struct keyring {
	struct api *api;
	struct api_key **keys; /* sorted by id */
	size_t count;
	nsec read_at;	/* when to read next */
	nsec loaded_at; /* when the last good reading was sent; 0: never */
	nsec asked_at;
	bool asking;
	struct exchange **waiting;
	size_t waiting_count;
};

static const char *const right_names[] = {
	[RIGHT_SUBMIT] = "submit",
	[RIGHT_READ] = "read",
	[RIGHT_COSTS] = "costs",
	[RIGHT_OPERATE] = "operate",
};

const char *api_right_name(enum api_right right)
{
	return right_names[right] ? right_names[right] : "";
}

struct keyring *keyring_create(struct api *api)
{
	struct keyring *ring = xcalloc(1, sizeof(*ring));

	ring->api = api;
	return ring;
}

static void forget(struct api_key *key)
{
	key->in_force = false;
	if (key->users > 0)
		return;
	json_decref(key->units);
	free(key);
}

void keyring_destroy(struct keyring *ring)
{
	if (!ring)
		return;
	for (size_t i = 0; i < ring->count; i++)
		forget(ring->keys[i]);
	free(ring->keys);
	free(ring->waiting);
	free(ring);
}

/* --- reading them --- */

static struct api_key *find_id(const struct keyring *ring, const char *id)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(id, ring->keys[middle]->id);

		if (order == 0)
			return ring->keys[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static unsigned read_rights(const char *text)
{
	struct error ignored;
	json_auto_t *names = json_read(text, strlen(text), JSON_OURS, &ignored);
	const json_t *name;
	unsigned rights = 0;
	size_t i;

	json_array_foreach (names, i, name)
		for (unsigned right = RIGHT_SUBMIT; right <= RIGHT_OPERATE; right <<= 1)
			if (strcmp(json_string_value(name), right_names[right]) == 0)
				rights |= right;
	return rights;
}

static void read_units(struct api_key *key, const char *text)
{
	struct error ignored;
	const json_t *unit;
	size_t i;

	json_decref(key->units);
	key->units = json_read(text, strlen(text), JSON_OURS, &ignored);
	key->all_units = false;
	json_array_foreach (key->units, i, unit)
		key->all_units |= strcmp(json_string_value(unit), "*") == 0;
}

enum { KEY_ID, KEY_DIGEST, KEY_NAME, KEY_UNITS, KEY_RIGHTS, KEY_REQUESTS, KEY_TOKENS, KEY_FEATURE };

/* Of a key that is new here nobody knows how much is left: all of it, as far as we can tell. */
static void read_limit(struct purse *purse, int64_t per_minute)
{
	if (purse->per_minute <= 0) {
		purse->level = (double)per_minute;
		purse->level_at = clock_now();
	}
	purse->per_minute = (double)per_minute;
}

/* The key we have, with what may have changed, or a new one. */
static struct api_key *read_key(const struct keyring *ring, const struct pg_rows *rows, int row)
{
	const char *id = pg_get_text(rows, row, KEY_ID);
	struct api_key *key = find_id(ring, id);
	size_t len;
	const char *digest = pg_get_bytes(rows, row, KEY_DIGEST, &len);

	if (!key) {
		key = xcalloc(1, sizeof(*key));
		memcpy(key->id, id, sizeof(key->id));
		key->in_force = true;
	}
	ENSURE(len == sizeof(key->digest)); /* the table says so */
	memcpy(&key->digest, digest, len);
	read_limit(&key->purses[PURSE_REQUESTS], pg_get_int(rows, row, KEY_REQUESTS));
	read_limit(&key->purses[PURSE_TOKENS], pg_get_int(rows, row, KEY_TOKENS));
	key->rights = read_rights(pg_get_text(rows, row, KEY_RIGHTS));
	read_units(key, pg_get_text(rows, row, KEY_UNITS));
	utf8_copy(key->feature, sizeof(key->feature), pg_get_text(rows, row, KEY_FEATURE));
	return key;
}

static void take_keys(struct keyring *ring, const struct pg_rows *rows)
{
	size_t count = (size_t)pg_count(rows);
	struct api_key **keys = xcalloc(count + 1, sizeof(*keys));

	for (size_t i = 0; i < count; i++)
		keys[i] = read_key(ring, rows, (int)i);
	for (size_t old = 0, fresh = 0; old < ring->count; old++) {
		while (fresh < count && strcmp(keys[fresh]->id, ring->keys[old]->id) < 0)
			fresh++;
		if (fresh == count || keys[fresh] != ring->keys[old])
			forget(ring->keys[old]);
	}
	free(ring->keys);
	ring->keys = keys;
	ring->count = count;
}

static void wake_waiting(struct keyring *ring)
{
	struct exchange **waiting = TAKE(ring->waiting);
	size_t count = ring->waiting_count;

	ring->waiting_count = 0;
	for (size_t i = 0; i < count; i++)
		exchange_resume(waiting[i]);
	free(waiting);
}

static void told_keys(struct api *api, void *owner, struct pg_answer *answer)
{
	struct keyring *ring = owner;

	(void)api;
	ring->asking = false;
	if (answer->rows) {
		take_keys(ring, answer->rows);
		ring->loaded_at = ring->asked_at;
	} else {
		log_warn("keys_not_read", "why=%s", answer->error.text);
		ring->read_at = ring->asked_at + READ_EVERY;
	}
	wake_waiting(ring);
}

void keyring_run(struct keyring *ring, nsec now)
{
	if (ring->asking || now < ring->read_at)
		return;
	ring->asked_at = now;
	ring->asking = api_ask(ring->api, API_READS, "keys", NULL, told_keys, ring);
	ring->read_at = now + (ring->asking ? READ_EVERY : TRY_EVERY);
}

bool keyring_is_loaded(const struct keyring *ring)
{
	return ring->loaded_at > 0;
}

nsec keyring_wake_at(const struct keyring *ring)
{
	return ring->read_at;
}

/* --- using them --- */

bool keyring_is_older(const struct keyring *ring, nsec than)
{
	return ring->loaded_at < than;
}

/* At most ten readings a second, however many strangers knock. */
void keyring_wait(struct keyring *ring, struct exchange *x)
{
	nsec soon = ring->asked_at + NSEC_PER_SEC / 10;

	ring->waiting = xrealloc(ring->waiting,
				 (ring->waiting_count + 1) * sizeof(struct exchange *));
	ring->waiting[ring->waiting_count++] = x;
	if (ring->read_at > soon)
		ring->read_at = soon;
}

/* "slc_" + id + "_" + 64 hex digits */
static bool read_id(char id[API_KEY_ID], const char *token)
{
	const char *from = token + strlen(API_KEY_PREFIX);

	if (strlen(token) != strlen(API_KEY_PREFIX) + API_KEY_ID + 64 ||
	    strncmp(token, API_KEY_PREFIX, strlen(API_KEY_PREFIX)) != 0 ||
	    strspn(from, HEX) != API_KEY_ID - 1)
		return false;
	memcpy(id, from, API_KEY_ID - 1);
	id[API_KEY_ID - 1] = '\0';
	return true;
}

struct api_key *keyring_find(struct keyring *ring, const char *token)
{
	char id[API_KEY_ID];
	struct api_key *key = token && read_id(id, token) ? find_id(ring, id) : NULL;
	struct digest brought;

	if (!key)
		return NULL;
	brought = digest_of(token, strlen(token));
	if (!digest_equal(&brought, &key->digest))
		return NULL;
	key->users++;
	return key;
}

struct api_key *keyring_named(struct keyring *ring, const char *id)
{
	struct api_key *key = find_id(ring, id);

	if (key)
		key->users++;
	return key;
}

void keyring_release(struct api_key *key)
{
	if (!key)
		return;
	key->users--;
	if (!key->in_force)
		forget(key);
}

bool api_key_sees(const struct api_key *key, const char *business_unit)
{
	const json_t *unit;
	size_t i;

	if (key->all_units)
		return true;
	json_array_foreach (key->units, i, unit)
		if (strcmp(json_string_value(unit), business_unit) == 0)
			return true;
	return false;
}

const char *api_key_only_unit(const struct api_key *key)
{
	if (key->all_units || json_array_size(key->units) != 1)
		return NULL;
	return json_string_value(json_array_get(key->units, 0));
}
