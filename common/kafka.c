#include "kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ensure.h"
#include "kafka_internal.h"

/* What both sides want: small messages leave at once, dead peers are noticed. */
static const struct kafka_option everywhere[] = {
	{"client.id", "sluice"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"log_level", "4"},
	{NULL, NULL},
};

int kafka_library_version(void)
{
	return rd_kafka_version();
}

static bool set_option(rd_kafka_conf_t *conf, const char *name, const char *value,
		       struct error *err)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return true;
	return error_set(err, ERROR_FATAL, "kafka option %s: %s", name, why);
}

static bool set_options(rd_kafka_conf_t *conf, const struct kafka_option *options,
			struct error *err)
{
	for (; options->name; options++)
		if (!set_option(conf, options->name, options->value, err))
			return false;
	return true;
}

static bool is_insisted(const char *name, const struct kafka_option *insisted)
{
	for (; insisted->name; insisted++)
		if (strcmp(insisted->name, name) == 0)
			return true;
	return false;
}

/* The value as librdkafka wants it: text. NULL for what can't be a setting. */
static const char *option_text(const json_t *value, char number[32])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (!json_is_integer(value))
		return NULL;
	snprintf(number, 32, "%" PRId64, (int64_t)json_integer_value(value));
	return number;
}

static bool set_given(rd_kafka_conf_t *conf, const json_t *options,
		      const struct kafka_option *insisted, struct error *err)
{
	const char *name;
	json_t *value;
	char number[32];

	json_object_foreach ((json_t *)options, name, value) {
		const char *text = option_text(value, number);

		if (!text)
			return error_set(err, ERROR_FATAL,
					 "kafka option %s: must be text, an integer or a boolean",
					 name);
		if (is_insisted(name, insisted))
			return error_set(err, ERROR_FATAL,
					 "kafka option %s can't be set: Sluice sets it itself",
					 name);
		if (!set_option(conf, name, text, err))
			return false;
	}
	return true;
}

rd_kafka_conf_t *kafka_conf(const struct kafka_connection *connection,
			    const struct kafka_option *defaults,
			    const struct kafka_option *insisted, struct error *err)
{
	AUTO(kafka_conf_destroy) rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (!set_options(conf, everywhere, err) || !set_options(conf, defaults, err) ||
	    !set_option(conf, "bootstrap.servers", connection->brokers, err))
		return NULL;
	if (connection->client_id && !set_option(conf, "client.id", connection->client_id, err))
		return NULL;
	if (!set_given(conf, connection->options, insisted, err))
		return NULL;
	if (!set_options(conf, insisted, err))
		return NULL;
	return TAKE(conf);
}

rd_kafka_t *kafka_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct error *err)
{
	char why[256];
	rd_kafka_t *handle = rd_kafka_new(type, conf, why, sizeof(why));

	if (!handle) {
		rd_kafka_conf_destroy(conf);
		error_set(err, ERROR_FATAL, "kafka: %s", why);
	}
	return handle;
}

enum error_kind kafka_error_kind(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__FATAL:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
		return ERROR_FATAL;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return ERROR_REJECT;
	default:
		return ERROR_RETRY;
	}
}

bool kafka_failed(struct error *err, rd_kafka_resp_err_t code, const char *doing)
{
	return error_set(err, kafka_error_kind(code), "%s: %s (%s)", doing, rd_kafka_err2str(code),
			 rd_kafka_err2name(code));
}

int kafka_bell_create(void)
{
	int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ENSURE(bell >= 0);
	return bell;
}

bool kafka_bell_silence(int bell)
{
	uint64_t rings;

	return read(bell, &rings, sizeof(rings)) == sizeof(rings);
}

void kafka_bell_ring(int bell)
{
	uint64_t one = 1;
	ssize_t put = write(bell, &one, sizeof(one));

	(void)put; /* EAGAIN: it rings loudly enough */
}

void kafka_bell_attach(rd_kafka_queue_t *queue, int bell)
{
	uint64_t one = 1;

	rd_kafka_queue_io_event_enable(queue, bell, &one, sizeof(one));
	kafka_bell_ring(bell);
}

void kafka_bell_detach(rd_kafka_queue_t *queue)
{
	rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
}
