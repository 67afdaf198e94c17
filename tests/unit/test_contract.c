#include "contract.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct contract *get(struct contracts *contracts, int n)
{
	char text[80];
	struct error err;
	json_auto_t *document = NULL;

	snprintf(text, sizeof(text), "{\"type\":\"object\",\"maxProperties\":%d}", n);
	document = json_read(text, strlen(text), JSON_OURS, &err);
	return contracts_get(contracts, text, strlen(text), document, &err);
}

START_TEST(the_same_bytes_are_compiled_once)
{
	struct contracts *contracts = contracts_create(8);
	struct contract *first = get(contracts, 1), *again = get(contracts, 1);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(first, again);
	ck_assert_ptr_eq(contract_for(first, "openai"), contract_for(again, "openai"));
	ck_assert_ptr_ne(contract_for(first, "openai"), contract_for(first, "anthropic"));
	contract_release(first);
	contract_release(again);
	contracts_destroy(contracts);
}
END_TEST

START_TEST(what_is_in_use_is_never_thrown_out)
{
	struct contracts *contracts = contracts_create(2);
	struct contract *held = get(contracts, 1);

	for (int n = 2; n < 50; n++)
		contract_release(get(contracts, n));
	ck_assert_ptr_eq(get(contracts, 1), held);
	contracts_destroy(contracts);
}
END_TEST

START_TEST(the_longest_unused_makes_room)
{
	struct contracts *contracts = contracts_create(2);
	struct contract *first = get(contracts, 1), *second;

	contract_release(first);
	second = get(contracts, 2);
	contract_release(second);
	contract_release(get(contracts, 1));
	contract_release(get(contracts, 3)); /* 2 is gone */
	ck_assert_ptr_eq(get(contracts, 1), first);
	contracts_destroy(contracts);
}
END_TEST

START_TEST(what_is_no_schema_is_refused_with_its_reason)
{
	struct contracts *contracts = contracts_create(2);
	struct error err;
	json_auto_t *document = json_read("{\"type\":7}", 10, JSON_OURS, &err);

	ck_assert_ptr_null(contracts_get(contracts, "{\"type\":7}", 10, document, &err));
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "type"));
	contracts_destroy(contracts);
}
END_TEST

UNIT_TESTS(contract, the_same_bytes_are_compiled_once, what_is_in_use_is_never_thrown_out,
	   the_longest_unused_makes_room, what_is_no_schema_is_refused_with_its_reason)
