#include "routing_lane.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define NOW ((nsec)1700000000 * NSEC_PER_SEC)
#define HOUR ((nsec)3600 * NSEC_PER_SEC)
#define MINUTE ((nsec)60 * NSEC_PER_SEC)

/* A batch gathers for ten minutes, and a rescue wants an hour. */
static const struct config config = {.batch = {.max_age = 10 * MINUTE, .rescue_before = HOUR}};
static const struct endpoint cloud = {.name = "cloud", .supports_batch = true};
static const struct endpoint cellar = {.name = "cellar", .self_hosted = true};
static const struct candidate both[] = {{.endpoint = &cloud, .model = "swift"},
					{.endpoint = &cloud, .model = "slow"}};
static const struct candidate ours = {.endpoint = &cellar, .model = "own"};
static const struct tier first = {.name = "first",
				  .candidates = (struct candidate *)both,
				  .candidate_count = 2,
				  .pick = "cheapest"};
static const struct tier weighted = {.name = "weighted",
				     .candidates = (struct candidate *)both,
				     .candidate_count = 2,
				     .pick = "weighted"};
static const struct tier own = {.name = "own",
				.candidates = (struct candidate *)&ours,
				.candidate_count = 1,
				.pick = "cheapest"};

static struct job job_with(nsec left)
{
	return (struct job){.lane = LANE_AUTO, .candidate = "", .deadline = left ? NOW + left : 0};
}

/* Batches of "swift" took two hours; of "slow" thirty, but only `slow_batches` were seen. */
static struct batch_times times_of(int slow_batches)
{
	static struct batch_time rows[2];

	rows[0] = (struct batch_time){"cloud", "swift", 20, 2 * HOUR};
	rows[1] = (struct batch_time){"cloud", "slow", slow_batches, 30 * HOUR};
	return (struct batch_times){rows, 2};
}

static const struct {
	const char *what;
	const struct tier *tier;
	nsec left; /* until the deadline; 0: there is none */
	int slow_batches;
	bool measured; /* the times are told */
	enum lane lane;
} rows[] = {
	{"nothing hurries", &first, 0, 0, true, LANE_NORMAL},
	{"a minute is for express", &first, MINUTE, 0, true, LANE_EXPRESS},
	{"a minute and a second", &first, MINUTE + NSEC_PER_SEC, 0, true, LANE_NORMAL},
	{"not measured: a day is promised", &first, 24 * HOUR, 0, false, LANE_BATCH},
	{"not measured, less than a day", &first, 24 * HOUR - 1, 0, false, LANE_NORMAL},
	{"gathering, two hours, rescue", &first, 3 * HOUR + 10 * MINUTE, 0, true, LANE_BATCH},
	{"a moment less", &first, 3 * HOUR + 10 * MINUTE - 1, 0, true, LANE_NORMAL},
	{"any of a weighted tier may get it", &weighted, 25 * HOUR, 5, true, LANE_NORMAL},
	{"time enough for the slow one", &weighted, 32 * HOUR, 5, true, LANE_BATCH},
	{"four batches are no measure", &weighted, 24 * HOUR, 4, true, LANE_BATCH},
	{"and a day is promised for it", &weighted, 23 * HOUR, 4, true, LANE_NORMAL},
	{"no batch API", &own, 48 * HOUR, 0, true, LANE_NORMAL},
};

START_TEST(the_deadline_and_the_measured_time_decide)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct batch_times times = times_of(rows[i].slow_batches);
		struct routing_news news = {.times = rows[i].measured ? &times : NULL};
		struct job job = job_with(rows[i].left);
		struct lane_choice choice = routing_lane(&config, rows[i].tier, &job, &news, NOW);

		ck_assert_msg(choice.lane == rows[i].lane, "%s: %s (%s)", rows[i].what,
			      lane_name(choice.lane), choice.why);
		ck_assert_ptr_nonnull(strstr(choice.why, lane_name(choice.lane)));
	}
}
END_TEST

START_TEST(time_begins_when_the_job_may_start)
{
	struct batch_times times = times_of(0);
	struct routing_news news = {.times = &times};
	struct job job = job_with(12 * HOUR);

	job.not_before = NOW + 9 * HOUR;
	ck_assert_int_eq(routing_lane(&config, &first, &job, &news, NOW).lane, LANE_NORMAL);
	job.not_before = NOW + 8 * HOUR;
	ck_assert_int_eq(routing_lane(&config, &first, &job, &news, NOW).lane, LANE_BATCH);
}
END_TEST

START_TEST(restricted_data_sees_no_batch_of_the_cloud)
{
	struct job job = job_with(48 * HOUR);

	job.data_class = DATA_RESTRICTED;
	ck_assert_int_eq(routing_lane(&config, &first, &job, NULL, NOW).lane, LANE_NORMAL);
}
END_TEST

static struct price price_of(const char *model, enum price_mode mode, pico each)
{
	struct price price = {.provider = "cloud", .mode = mode, .rates = {.input = each}};

	snprintf(price.model, sizeof(price.model), "%s", model);
	price.rates.output = each;
	return price;
}

/* Pico-dollars a token; 0: no price. */
static const struct {
	pico swift_batch, swift_sync, slow_sync;
	const struct tier *tier;
	enum lane lane;
} prices[] = {
	{50, 100, 0, &first, LANE_BATCH},   {100, 100, 0, &first, LANE_NORMAL},
	{120, 100, 0, &first, LANE_NORMAL}, {0, 100, 0, &first, LANE_BATCH},
	{50, 0, 0, &first, LANE_BATCH},	    {50, 100, 40, &first, LANE_NORMAL},
};

START_TEST(a_batch_that_is_not_cheaper_is_none)
{
	for (size_t i = 0; i < COUNT_OF(prices); i++) {
		struct price all[3];
		struct price_book book = {.rows = all};
		struct routing_news news = {.prices = &book};
		struct job job = job_with(48 * HOUR);
		struct lane_choice choice;

		if (prices[i].swift_batch)
			all[book.count++] = price_of("swift", MODE_BATCH, prices[i].swift_batch);
		if (prices[i].swift_sync)
			all[book.count++] = price_of("swift", MODE_SYNC, prices[i].swift_sync);
		if (prices[i].slow_sync)
			all[book.count++] = price_of("slow", MODE_SYNC, prices[i].slow_sync);
		price_book_sort(&book);
		choice = routing_lane(&config, prices[i].tier, &job, &news, NOW);
		ck_assert_msg(choice.lane == prices[i].lane, "row %zu: %s", i, choice.why);
	}
}
END_TEST

START_TEST(what_is_not_known_takes_the_promised_day)
{
	struct batch_times none = {0}, times = times_of(4);

	ck_assert_uint_eq(batch_times_expect(&none, "cloud", "swift"), 24 * HOUR);
	ck_assert_uint_eq(batch_times_expect(&times, "cloud", "swift"), 2 * HOUR);
	ck_assert_uint_eq(batch_times_expect(&times, "other", "swift"), 24 * HOUR);
	ck_assert_uint_eq(batch_times_expect(&times, "cloud", "slow"), 24 * HOUR);
}
END_TEST

UNIT_TESTS(routing_lane, the_deadline_and_the_measured_time_decide,
	   time_begins_when_the_job_may_start, restricted_data_sees_no_batch_of_the_cloud,
	   a_batch_that_is_not_cheaper_is_none, what_is_not_known_takes_the_promised_day)
