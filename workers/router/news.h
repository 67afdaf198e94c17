/*
 * What the router knows of the batch lane, read from Postgres once a minute: how
 * long recent batches of each model took, and the prices. While Postgres is away,
 * or was never there, jobs are routed by what was known last.
 *
 *	struct news *news = news_create(config);
 *	forwarder.news = news_facts(news);
 *	news_run(news, now);                     -- in every turn; its socket is news_fd()
 */
#ifndef SLUICE_ROUTER_NEWS_H
#define SLUICE_ROUTER_NEWS_H

#include <stdbool.h>

#include "clock.h"
#include "compiler.h"
#include "config.h"
#include "routing_lane.h"

struct news;

struct news *news_create(const struct config *config);
void news_destroy(struct news *news);
AUTO_DEFINE(struct news, news_destroy)

/* Borrowed; what it points to changes in news_run(). */
const struct routing_news *news_facts(const struct news *news);

void news_run(struct news *news, nsec now);
int news_fd(const struct news *news); /* -1: none now */
bool news_wants_write(const struct news *news);

#endif
