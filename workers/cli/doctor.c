/*
 * sluice doctor: is everything there that Sluice needs, and as it should be?
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ensure.h"
#include "http.h"
#include "kafka.h"

struct wishes {
	struct arguments common;
};

static const struct argument no_options[] = {{0}};

static const struct argument_form form = {
	.usage = "",
	.summary = "Look at the configuration, keys, libraries, Postgres and Kafka, and say what "
		   "is wrong and\n"
		   "what to do about it. Changes nothing; calls no provider. Exits with 1 when "
		   "something fails.",
	.details = "  sluice doctor --config /etc/sluice/sluice.yaml\n",
	.table = no_options,
};

static void look_at_libraries(struct findings *findings)
{
	int kafka = kafka_library_version(), pg = pg_library_version();

	findings_add(findings, FINDING_OK, "libraries",
		     "sluice " SLUICE_VERSION ", librdkafka %d.%d.%d, libpq %d.%d, jansson %s",
		     kafka >> 24 & 0xff, kafka >> 16 & 0xff, kafka >> 8 & 0xff, pg / 10000,
		     pg % 10000, jansson_version_str());
	findings_add(findings, FINDING_OK, "libraries", "%s", http_library_version());
}

static void look_at_postgres(struct findings *findings, struct session *session)
{
	struct error err;

	if (!session_connect(session, &err)) {
		findings_add(findings, FINDING_FAIL, "postgres", "%s", err.text);
		return;
	}
	doctor_postgres(findings, session);
	doctor_fleet(findings, session);
}

static void look(struct findings *findings, const struct wishes *wishes)
{
	AUTO_FINISH(session_finish) struct session session = {0};
	const char *path = config_find(wishes->common.config);
	struct error err;

	look_at_libraries(findings);
	if (!session_configure(&session, &wishes->common, &err)) {
		findings_add(findings, FINDING_FAIL, "config", "%s", err.text);
		return;
	}
	findings_add(findings, FINDING_OK, "config", "read from %s",
		     path ? path : "the built-in default");
	doctor_config(findings, session.config);
	look_at_postgres(findings, &session);
	doctor_kafka(findings, session.config);
}

static int run(int argc, char **argv)
{
	AUTO_FINISH(findings_finish) struct findings findings = {0};
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	struct wishes wishes = {0};
	int code = arguments_parse(&form, &wishes, argc, argv);

	if (code >= 0)
		return code;
	findings_init(&findings);
	look(&findings, &wishes);
	table_render(findings.table, session_format(wishes.common.json, false), &text);
	fwrite(text.data, 1, text.len, stdout);
	if (!wishes.common.json)
		printf("\n%zu ok, %zu to look at, %zu failed\n", findings.counts[FINDING_OK],
		       findings.counts[FINDING_WARN], findings.counts[FINDING_FAIL]);
	return findings.counts[FINDING_FAIL] > 0 ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "is everything there, and as it should be?",
	.group = COMMAND_OPERATE,
	.run = run,
	.form = &form,
};
