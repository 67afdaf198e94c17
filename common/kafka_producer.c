#include "kafka_producer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "kafka_internal.h"

/* From this version on an idempotent producer does not break by itself (librdkafka #4438, #4750).
 */
#define IDEMPOTENCE_IS_SAFE 0x020500ff
#define DESTROY_WAIT (NSEC_PER_SEC / 2)

/*
 * Everything a handle tells comes as events through its main queue: deliveries
 * (in batches: `batch` is the one being read), errors, log lines. `broken`: no
 * message can be delivered by this handle any more; once all it held is
 * reported, replace() makes a new one.
 */
struct kafka_producer {
	rd_kafka_t *handle;
	rd_kafka_queue_t *events;
	rd_kafka_event_t *batch;
	int bell;
	size_t unreported;
	bool broken;
	struct kafka_producer_settings settings;
	char *brokers;
	char *client_id;
	json_t *options;
};

static void tell(const struct kafka_producer *p, const char *event, const char *text)
{
	if (p->settings.notice)
		p->settings.notice(p->settings.context, event, text);
}

static bool open_handle(struct kafka_producer *p, struct error *err)
{
	const struct kafka_producer_settings *s = &p->settings;
	size_t queue = s->queue_bytes ? s->queue_bytes : (size_t)64 << 20;
	size_t largest = s->max_message_bytes ? s->max_message_bytes : 1 << 20;
	char queue_text[24], largest_text[24];
	const struct kafka_option defaults[] = {
		{"enable.idempotence",
		 kafka_library_version() >= IDEMPOTENCE_IS_SAFE ? "true" : "false"},
		{"linger.ms", "5"},
		{"compression.type", "lz4"},
		{"message.timeout.ms", "300000"},
		{"queue.buffering.max.kbytes", queue_text},
		{"queue.buffering.max.messages", "200000"},
		{"message.max.bytes", largest_text},
		{NULL, NULL},
	};
	const struct kafka_option insisted[] = {
		{"acks", "all"},
		{"log.queue", "true"},
		{"partitioner", "murmur2_random"}, /* as other languages' clients place keys */
		{NULL, NULL},
	};
	rd_kafka_conf_t *conf;

	snprintf(queue_text, sizeof(queue_text), "%zu", (queue + 1023) / 1024);
	snprintf(largest_text, sizeof(largest_text), "%zu", largest);
	conf = kafka_conf(&s->connection, defaults, insisted, err);
	if (!conf)
		return false;
	rd_kafka_conf_set_events(conf,
				 RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	p->handle = kafka_handle(RD_KAFKA_PRODUCER, conf, err);
	if (!p->handle)
		return false;
	rd_kafka_set_log_queue(p->handle, NULL);
	p->events = rd_kafka_queue_get_main(p->handle);
	kafka_bell_attach(p->events, p->bell);
	p->broken = false;
	return true;
}

static void close_handle(struct kafka_producer *p)
{
	if (p->events) {
		kafka_bell_detach(p->events);
		rd_kafka_queue_destroy(p->events);
	}
	p->events = NULL;
	if (p->handle)
		rd_kafka_destroy(p->handle);
	p->handle = NULL;
}

struct kafka_producer *kafka_producer_create(const struct kafka_producer_settings *settings,
					     struct error *err)
{
	AUTO(kafka_producer_destroy) struct kafka_producer *p = xcalloc(1, sizeof(*p));

	p->bell = kafka_bell_create();
	p->settings = *settings;
	p->brokers = xstrdup(settings->connection.brokers);
	p->client_id = xstrdup(settings->connection.client_id ? settings->connection.client_id
							      : "sluice");
	p->options = json_deep_copy(settings->connection.options);
	p->settings.connection = (struct kafka_connection){
		.brokers = p->brokers, .client_id = p->client_id, .options = p->options};
	if (!open_handle(p, err))
		return NULL;
	return TAKE(p);
}

/* Let go of what can't be delivered in time: librdkafka would wait for it. */
static void abandon(struct kafka_producer *p)
{
	nsec until = clock_now() + DESTROY_WAIT;

	rd_kafka_purge(p->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (rd_kafka_outq_len(p->handle) > 0 && clock_now() < until) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(p->events, 20);

		if (event)
			rd_kafka_event_destroy(event);
	}
}

void kafka_producer_destroy(struct kafka_producer *p)
{
	if (!p)
		return;
	if (p->batch)
		rd_kafka_event_destroy(TAKE(p->batch));
	if (p->handle && p->events)
		abandon(p);
	close_handle(p);
	json_decref(p->options);
	free(p->brokers);
	free(p->client_id);
	close(p->bell);
	free(p);
}

/* -- sending -- */

static rd_kafka_error_t *produce(struct kafka_producer *p, const struct kafka_record *r)
{
	rd_kafka_vu_t fields[6 + KAFKA_MAX_HEADERS];
	size_t count = 0;

	ENSURE(r->header_count <= KAFKA_MAX_HEADERS);
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = r->topic};
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION,
					  .u.i32 = r->partition < 0 ? RD_KAFKA_PARTITION_UA
								    : r->partition};
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS,
					  .u.i = RD_KAFKA_MSG_F_COPY};
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE,
					  .u.mem = {(void *)r->value, r->len}};
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY,
					  .u.mem = {(void *)r->key, r->key_len}};
	fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = r->token};
	for (size_t i = 0; i < r->header_count; i++)
		fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
						  .u.header = {r->headers[i].name,
							       r->headers[i].value,
							       (ssize_t)r->headers[i].len}};
	return rd_kafka_produceva(p->handle, fields, count);
}

enum kafka_produced kafka_produce(struct kafka_producer *p, const struct kafka_record *record,
				  struct error *err)
{
	rd_kafka_resp_err_t code;
	rd_kafka_error_t *error;

	if (p->broken)
		return KAFKA_FULL; /* a new handle comes with the last delivery */
	error = produce(p, record);
	if (!error) {
		p->unreported++;
		return KAFKA_ACCEPTED;
	}
	code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return KAFKA_FULL;
	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		p->broken = true;
		kafka_bell_ring(p->bell);
		return KAFKA_FULL;
	}
	kafka_failed(err, code, "produce");
	error_wrap(err, "topic %s", record->topic);
	return KAFKA_REFUSED;
}

/* -- deliveries -- */

static void read_delivery(struct kafka_producer *p, const rd_kafka_message_t *message,
			  struct kafka_delivery *out)
{
	*out = (struct kafka_delivery){
		.token = message->_private,
		.ok = !message->err,
		.partition = message->partition,
		.offset = message->err ? -1 : message->offset,
	};
	if (message->err) {
		kafka_failed(&out->error, message->err, "deliver");
		error_wrap(&out->error, "topic %s", rd_kafka_topic_name(message->rkt));
		if (out->error.kind == ERROR_FATAL)
			out->error.kind = ERROR_RETRY;
	}
	p->unreported--;
}

static void on_error(struct kafka_producer *p, rd_kafka_event_t *event)
{
	char why[256];

	if (!rd_kafka_event_error_is_fatal(event)) {
		tell(p, "kafka_error", rd_kafka_event_error_string(event));
		return;
	}
	rd_kafka_fatal_error(p->handle, why, sizeof(why));
	tell(p, "kafka_error", why);
	p->broken = true;
	rd_kafka_purge(p->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
					  RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/* Take the next event. False: there is none. */
static bool take_event(struct kafka_producer *p)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(p->events, 0);
	const char *facility, *text;
	int level;

	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_NONE:
		return false;
	case RD_KAFKA_EVENT_DR:
		p->batch = event;
		return true;
	case RD_KAFKA_EVENT_ERROR:
		on_error(p, event);
		break;
	case RD_KAFKA_EVENT_LOG:
		if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
			tell(p, "kafka_log", text);
		break;
	default:
		break;
	}
	rd_kafka_event_destroy(event);
	return true;
}

static void replace(struct kafka_producer *p)
{
	struct error err;

	close_handle(p);
	ENSURE(open_handle(p, &err)); /* the configuration has worked before */
	tell(p, "kafka_producer_replaced", "after a fatal error; all it held was reported");
}

bool kafka_producer_delivered(struct kafka_producer *p, struct kafka_delivery *delivery)
{
	if (!p->batch)
		kafka_bell_silence(p->bell);
	for (;;) {
		const rd_kafka_message_t *message = p->batch ? rd_kafka_event_message_next(p->batch)
							     : NULL;

		if (message) {
			read_delivery(p, message, delivery);
			return true;
		}
		if (p->batch)
			rd_kafka_event_destroy(TAKE(p->batch));
		if (!take_event(p))
			break;
	}
	if (p->broken && p->unreported == 0)
		replace(p);
	return false;
}

size_t kafka_producer_unreported(const struct kafka_producer *p)
{
	return p->unreported;
}

int kafka_producer_fd(const struct kafka_producer *p)
{
	return p->bell;
}

/* The bell also rings for errors and log lines: those are taken on the way. */
bool kafka_producer_wait(struct kafka_producer *p, nsec longest)
{
	struct pollfd bell = {.fd = p->bell, .events = POLLIN};
	nsec until = clock_now() + longest;

	while (!p->batch) {
		nsec now = clock_now();

		kafka_bell_silence(p->bell);
		if (take_event(p))
			continue;
		if (now >= until)
			return false;
		poll(&bell, 1, (int)((until - now) / NSEC_PER_MSEC) + 1);
	}
	return true;
}

bool kafka_producer_partitions(struct kafka_producer *p, const char *topic, nsec longest,
			       int32_t *count, struct error *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(p->handle, topic, NULL);
	rd_kafka_resp_err_t code;

	if (!handle)
		return kafka_failed(err, rd_kafka_last_error(), topic);
	code = rd_kafka_metadata(p->handle, 0, handle, &metadata, (int)(longest / NSEC_PER_MSEC));
	rd_kafka_topic_destroy(handle);
	if (code)
		return kafka_failed(err, code, topic);
	code = metadata->topic_cnt == 1 ? metadata->topics[0].err
					: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	*count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	return !code || kafka_failed(err, code, topic);
}
