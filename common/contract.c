#include "contract.h"

#include <string.h>

#include "ensure.h"

#define BUCKETS 256

struct contracts {
	struct contract *buckets[BUCKETS];
	size_t count, most;
	uint64_t gets;
};

struct contracts *contracts_create(size_t most)
{
	struct contracts *contracts = xcalloc(1, sizeof(*contracts));

	contracts->most = most;
	return contracts;
}

static void destroy(struct contract *contract)
{
	for (size_t i = 0; i < contract->prepared_count; i++)
		prepared_schema_finish(&contract->prepared[i].prepared);
	schema_destroy(contract->schema);
	json_decref(contract->document);
	xfree(contract);
}

void contracts_destroy(struct contracts *contracts)
{
	if (!contracts)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (contracts->buckets[i]) {
			struct contract *contract = contracts->buckets[i];

			contracts->buckets[i] = contract->next;
			destroy(contract);
		}
	}
	xfree(contracts);
}

static struct contract **bucket_of(struct contracts *contracts, const struct digest *digest)
{
	return &contracts->buckets[digest->bytes[0]];
}

static struct contract *find(struct contracts *contracts, const struct digest *digest)
{
	struct contract *contract = *bucket_of(contracts, digest);

	while (contract &&
	       memcmp(contract->digest.bytes, digest->bytes, sizeof(digest->bytes)) != 0)
		contract = contract->next;
	return contract;
}

/* What is in use stays, so there may for a while be more than the most. */
static void evict_oldest(struct contracts *contracts)
{
	struct contract **oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct contract **link = &contracts->buckets[i]; *link; link = &(*link)->next)
			if ((*link)->users == 0 && (!oldest || (*link)->used < (*oldest)->used))
				oldest = link;
	if (oldest) {
		struct contract *gone = *oldest;

		*oldest = gone->next;
		contracts->count--;
		destroy(gone);
	}
}

static struct contract *make(struct contracts *contracts, const struct digest *digest,
			     json_t *document, struct error *err)
{
	struct schema *schema = schema_compile(document, err);
	struct contract *contract, **bucket = bucket_of(contracts, digest);

	if (!schema)
		return NULL;
	if (contracts->count >= contracts->most)
		evict_oldest(contracts);
	contract = xcalloc(1, sizeof(*contract));
	contract->schema = schema;
	contract->document = json_incref(document);
	contract->digest = *digest;
	contract->next = *bucket;
	*bucket = contract;
	contracts->count++;
	return contract;
}

struct contract *contracts_get(struct contracts *contracts, const char *text, size_t len,
			       json_t *document, struct error *err)
{
	struct digest digest = digest_of(text, len);
	struct contract *contract = find(contracts, &digest);

	if (!contract)
		contract = make(contracts, &digest, document, err);
	if (!contract)
		return NULL;
	contract->used = ++contracts->gets;
	contract->users++;
	return contract;
}

void contract_release(struct contract *contract)
{
	if (!contract)
		return;
	ENSURE(contract->users > 0);
	contract->users--;
}

const struct prepared_schema *contract_for(struct contract *contract, const char *dialect)
{
	size_t i = 0;

	while (i < contract->prepared_count && strcmp(contract->prepared[i].dialect, dialect) != 0)
		i++;
	if (i == contract->prepared_count) {
		ENSURE(i < CONTRACT_DIALECTS);
		contract->prepared[i].dialect = dialect;
		prepared_schema_init(&contract->prepared[i].prepared, dialect, contract->document);
		contract->prepared_count++;
	}
	return &contract->prepared[i].prepared;
}
