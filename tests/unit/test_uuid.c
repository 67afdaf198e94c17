#include "uuid.h"

#include <string.h>

#include "unit.h"

START_TEST(ids_made_later_sort_later)
{
	struct uuid before = uuid_make();

	for (int i = 0; i < 10000; i++) {
		struct uuid after = uuid_make();

		ck_assert_int_lt(uuid_compare(&before, &after), 0);
		before = after;
	}
}
END_TEST

START_TEST(an_id_survives_its_text)
{
	struct uuid id = uuid_make(), back;
	char text[UUID_TEXT];

	ck_assert(uuid_parse(uuid_format(text, &id), &back));
	ck_assert(uuid_equal(&id, &back));
	ck_assert_int_eq(text[14], '7');
}
END_TEST

START_TEST(a_v7_id_tells_its_time)
{
	nsec wall = 1795233600123 * NSEC_PER_MSEC;
	struct uuid id = uuid_at(wall, 7, 42);

	ck_assert(uuid_time(&id) == wall);
}
END_TEST

START_TEST(what_is_not_an_id_is_refused)
{
	static const char *const bad[] = {"",
					  "0190",
					  "01902d5e-7b1c-7000-8000-00000000000",
					  "01902d5e-7b1c-7000-8000-0000000000000",
					  "01902d5e7b1c70008000000000000000",
					  "01902d5e-7b1c-7000-8000-00000000000g"};
	struct uuid id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!uuid_parse(bad[i], &id), "\"%s\" was read", bad[i]);
}
END_TEST

UNIT_TESTS(uuid, ids_made_later_sort_later, an_id_survives_its_text, a_v7_id_tells_its_time,
	   what_is_not_an_id_is_refused)
