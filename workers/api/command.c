/*
 * sluice api: the REST shim, in the foreground.
 */
#include "command.h"

#include <stdio.h>

#include "api.h"
#include "log.h"
#include "routes.h"

struct wishes {
	struct arguments common;
	const char *listen;
	bool routes;
};

static const struct argument table[] = {
	ARGUMENT_TEXT(struct wishes, listen, "listen", 'l', "ADDRESS",
		      "serve here instead of api.listen, as in 127.0.0.1:8080"),
	ARGUMENT_FLAG(struct wishes, routes, "routes", 0, "print what is served and leave"),
	{0},
};

static const struct argument_form form = {
	.usage = "",
	.summary = "Serve the REST API: submit jobs, ask how they stand, cancel them; and the "
		   "shape of\n"
		   "OpenAI's Batch API. /openapi.json describes it.",
	.details =
		"A job that was accepted is a row in Postgres; it is not lost if this process "
		"dies\n"
		"before Kafka has it. Start as many as you like. Keys are made with `sluice keys\n"
		"create`. Without api.cert_file it speaks plain HTTP: for loopback, or behind a "
		"proxy\n"
		"that speaks TLS. SIGTERM answers what is open and ends it.\n",
	.table = table,
};

static int print_routes(void)
{
	for (const struct route *route = routes_all(); route->method; route++)
		printf("%s %s\n", route->method, route->pattern);
	return COMMAND_OK;
}

static int run(int argc, char **argv)
{
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);
	struct error err;

	if (code >= 0)
		return code;
	if (wishes.routes)
		return print_routes();
	AUTO(config_destroy) struct config *config = config_load(wishes.common.config, &err);
	if (config && wishes.listen)
		config->api.listen = wishes.listen;
	AUTO(api_destroy) struct api *api = config ? api_create(config, &err) : NULL;
	if (api && api_run(api, &err))
		return COMMAND_OK;
	log_error("api_failed", "why=%s", err.text);
	fprintf(stderr, "sluice api: %s\n", err.text);
	return COMMAND_FAILED;
}

const struct command command_api = {
	.name = "api",
	.summary = "serve jobs over REST",
	.run = run,
	.group = COMMAND_RUN,
	.form = &form,
};
