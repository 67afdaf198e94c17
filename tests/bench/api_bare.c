/*
 * What `sluice api` is measured against: the same HTTP server and the same loop,
 * and one look-up in Postgres for each request. GET /v1/jobs/ID -> its state.
 *
 *	api_bare POSTGRES_URL       -- prints "listening PORT"; until it is killed
 */
#include <stdio.h>
#include <string.h>

#include "ensure.h"
#include "http.h"
#include "pg.h"
#include "web.h"

static const struct pg_statement look = {"look",
					 "SELECT lower(state::text) FROM jobs WHERE job_id = $1"};

static void on_request(void *context, struct web_request *request)
{
	struct pg_args *args = pg_args_create();
	const char *slash = strrchr(request->path, '/');
	struct uuid id = {0};

	(void)uuid_parse(slash + 1, &id); /* else it finds nothing */
	pg_uuid(args, &id);
	pg_send(context, look.name, args, request);
}

static void answer(struct pg *pg)
{
	struct pg_answer answer;

	while (pg_next(pg, &answer)) {
		const char *state = answer.rows && pg_count(answer.rows) > 0
					    ? pg_get_text(answer.rows, 0, 0)
					    : "";
		AUTO(xfree) char *body = xasprintf("{\"state\":\"%s\"}", state);

		web_reply(answer.token, *state ? 200 : 404, "application/json", body, strlen(body),
			  NULL, 0);
		pg_rows_destroy(answer.rows);
	}
}

static void turn(struct http *http, struct web *web, struct pg *pg)
{
	struct http_descriptor others[] = {
		{.fd = web_fd(web), .wants = HTTP_READ},
		{.fd = pg_fd(pg), .wants = HTTP_READ | (pg_wants_write(pg) ? HTTP_WRITE : 0u)},
	};
	nsec nap = web_nap(web);

	http_wait(http, others, COUNT_OF(others),
		  nap < NSEC_PER_SEC / 10 ? nap : NSEC_PER_SEC / 10);
	web_run(web);
	pg_pump(pg, clock_now());
	answer(pg);
}

int main(int argc, char **argv)
{
	struct web_settings settings = {.listen = "127.0.0.1:0"};
	struct http_settings outgoing = {.max_in_flight = 1};
	struct pg_options options = {.url = argc == 2 ? argv[1] : "", .name = "bench bare"};
	struct error err;
	AUTO(http_destroy) struct http *http = http_create(&outgoing, &err);
	AUTO(pg_destroy) struct pg *pg = pg_create(&options, &look, 1);
	AUTO(web_destroy) struct web *web = web_create(&settings, on_request, pg, &err);

	if (!http || !web) {
		fprintf(stderr, "api_bare: %s\n", err.text);
		return 1;
	}
	while (!pg_ready(pg))
		turn(http, web, pg);
	printf("listening %u\n", web_port(web));
	fflush(stdout);
	for (;;)
		turn(http, web, pg);
}
