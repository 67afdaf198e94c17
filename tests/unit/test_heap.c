#include "heap.h"

#include "random.h"
#include "unit.h"

START_TEST(the_least_comes_first_and_among_equals_the_first)
{
	struct heap heap = {0};
	struct heap_slot slots[] = {{.key = 5}, {.key = 3}, {.key = 5}, {.key = 1}, {.key = 3}};
	static const size_t order[] = {3, 1, 4, 0, 2};

	ck_assert_ptr_null(heap_first(&heap));
	for (size_t i = 0; i < 5; i++)
		heap_add(&heap, &slots[i]);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_ptr_eq(heap_first(&heap), &slots[order[i]]);
		heap_remove(&heap, &slots[order[i]]);
		ck_assert_uint_eq(slots[order[i]].place, 0);
	}
	heap_finish(&heap);
}
END_TEST

START_TEST(any_can_be_taken_out_and_the_rest_stays_in_order)
{
	static struct heap_slot slots[1000];
	struct heap heap = {0};
	struct random random;
	uint64_t last = 0;

	random_seed(&random, 1);
	for (size_t i = 0; i < 1000; i++) {
		slots[i].key = random_below(&random, 300);
		heap_add(&heap, &slots[i]);
	}
	for (size_t i = 0; i < 1000; i += 2)
		heap_remove(&heap, &slots[i]);
	ck_assert_uint_eq(heap.count, 500);
	while (heap.count > 0) {
		ck_assert_uint_ge(heap_first(&heap)->key, last);
		last = heap_first(&heap)->key;
		heap_remove(&heap, heap_first(&heap));
	}
	heap_finish(&heap);
}
END_TEST

UNIT_TESTS(heap, the_least_comes_first_and_among_equals_the_first,
	   any_can_be_taken_out_and_the_rest_stays_in_order)
