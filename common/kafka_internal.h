/*
 * The one door to librdkafka, for the kafka modules only: building its
 * configuration, turning its errors into ours, and the bell it rings when a
 * queue has something.
 *
 * A bell is an eventfd. librdkafka writes to it when a queue stops being empty,
 * once, until the queue is read again. So: silence it first, then read every
 * queue until it is empty or remember that it was not.
 */
#ifndef SLUICE_KAFKA_INTERNAL_H
#define SLUICE_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "compiler.h"
#include "error.h"
#include "kafka.h"
#include "kafka_message.h"

/* One row of our defaults, or of what a module insists on. */
struct kafka_option {
	const char *name;
	const char *value;
};

/*
 * A configuration of: defaults, then the connection's options, then insisted.
 * An option that names an insisted setting is refused. Both tables end with a
 * NULL name. The caller's; NULL with an error.
 */
rd_kafka_conf_t *kafka_conf(const struct kafka_connection *connection,
			    const struct kafka_option *defaults,
			    const struct kafka_option *insisted, struct error *err);

/* A handle of that configuration, which it takes in any case. NULL with an error. */
rd_kafka_t *kafka_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct error *err);

/* RETRY, REJECT or FATAL, as librdkafka's code deserves. */
enum error_kind kafka_error_kind(rd_kafka_resp_err_t code);

/* Fills err from a librdkafka code. Returns false. */
bool kafka_failed(struct error *err, rd_kafka_resp_err_t code, const char *doing);

/* Fill all but topic and assignment; takes the message over until kafka_message_release(). */
void kafka_message_fill(struct kafka_message *out, rd_kafka_message_t *message);

int kafka_bell_create(void);
bool kafka_bell_silence(int bell); /* true: it had rung */
void kafka_bell_attach(rd_kafka_queue_t *queue,
		       int bell); /* rings once: what came before has not */
void kafka_bell_detach(rd_kafka_queue_t *queue);
void kafka_bell_ring(int bell);

static inline void kafka_conf_destroy(rd_kafka_conf_t *conf)
{
	if (conf)
		rd_kafka_conf_destroy(conf);
}
AUTO_DEFINE(rd_kafka_conf_t, kafka_conf_destroy)
AUTO_DEFINE(rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy)

#endif
