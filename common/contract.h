/*
 * What an answer must fit: an output schema compiled for us and written for the
 * providers. Jobs of one kind bring the same schema a million times; the work
 * is done once. The longest unused makes room.
 *
 *	struct contract *contract = contracts_get(contracts, text, len, document, err);
 *	if (!contract)                  -- it is no schema; err says why
 *	if (!schema_check(contract->schema, answer, &errors)) ...
 *	call.prepared = contract_for(contract, "openai");
 *	contract_release(contract);     -- as often as it was got
 *
 * Belongs to one loop.
 */
#ifndef SLUICE_CONTRACT_H
#define SLUICE_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "digest.h"
#include "error.h"
#include "json.h"
#include "prepared_schema.h"
#include "schema.h"

#define CONTRACT_DIALECTS 4

struct contract {
	struct schema *schema;
	json_t *document; /* owned */

	/* Of the cache. */
	struct digest digest; /* of the text */
	size_t users;
	uint64_t used; /* number of the get that used it last */
	struct contract *next;
	struct {
		const char *dialect;
		struct prepared_schema prepared;
	} prepared[CONTRACT_DIALECTS];
	size_t prepared_count;
};

struct contracts;

struct contracts *contracts_create(size_t most);
void contracts_destroy(struct contracts *contracts);

/*
 * `text` are the document's bytes as they came: the key. The document is kept.
 * Used by the caller until released. NULL with a REJECT error: not remembered.
 */
struct contract *contracts_get(struct contracts *contracts, const char *text, size_t len,
			       json_t *document, struct error *err) MUST_USE;
void contract_release(struct contract *contract); /* NULL is fine */

/* The schema as requests of a dialect carry it; as long as the contract. */
const struct prepared_schema *contract_for(struct contract *contract, const char *dialect);

#endif
