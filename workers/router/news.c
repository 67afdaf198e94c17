#include "news.h"

#include <stdlib.h>

#include "ensure.h"
#include "log.h"
#include "statements.h"
#include "store_prices.h"
#include "store_times.h"

#define READ_EVERY (60 * NSEC_PER_SEC)

struct news {
	struct pg *pg;
	struct batch_times times;
	struct price_book prices;
	struct routing_news facts;
	bool known; /* the times were read once */
	nsec read_at;
};

enum question { ASKED_TIMES, ASKED_PRICES };
static enum question questions[] = {ASKED_TIMES, ASKED_PRICES};

struct news *news_create(const struct config *config)
{
	struct news *news = xcalloc(1, sizeof(*news));
	size_t count;
	const struct pg_statement *statements = statements_of_router(&count);
	struct pg_options options = {
		.url = config->postgres.url,
		.name = "sluice router",
		.statement_timeout = config->postgres.statement_timeout,
		.lock_timeout = config->postgres.lock_timeout,
	};

	news->pg = pg_create(&options, statements, count);
	news->facts = (struct routing_news){.times = &news->times, .prices = &news->prices};
	return news;
}

void news_destroy(struct news *news)
{
	struct pg_answer answer;

	if (!news)
		return;
	pg_abandon(news->pg);
	while (pg_next(news->pg, &answer))
		pg_rows_destroy(answer.rows);
	pg_destroy(news->pg);
	batch_times_finish(&news->times);
	price_book_finish(&news->prices);
	free(news);
}

const struct routing_news *news_facts(const struct news *news)
{
	return &news->facts;
}

static void read_times(struct news *news, const struct pg_rows *rows)
{
	size_t before = news->times.count;

	store_times_read(rows, &news->times);
	if (!news->known || before != news->times.count)
		log_info("batch_times_read", "models=%zu", news->times.count);
	news->known = true;
}

static void hear(struct news *news, const struct pg_answer *answer)
{
	if (!answer->rows)
		log_warn("news_not_read", "why=%s", answer->error.text);
	else if (*(const enum question *)answer->token == ASKED_TIMES)
		read_times(news, answer->rows);
	else
		store_prices_read(answer->rows, &news->prices);
}

void news_run(struct news *news, nsec now)
{
	struct pg_answer answer;

	pg_pump(news->pg, now);
	while (pg_next(news->pg, &answer)) {
		hear(news, &answer);
		pg_rows_destroy(answer.rows);
	}
	if (now < news->read_at || !pg_ready(news->pg) || pg_open(news->pg) > 0)
		return;
	news->read_at = now + READ_EVERY;
	pg_send(news->pg, "batch_times", NULL, &questions[ASKED_TIMES]);
	pg_send(news->pg, "prices", NULL, &questions[ASKED_PRICES]);
}

int news_fd(const struct news *news)
{
	return pg_fd(news->pg);
}

bool news_wants_write(const struct news *news)
{
	return pg_wants_write(news->pg);
}
