/*
 * A job as it comes from a tier's topic: its envelope, the run and hop of its
 * headers, and the headers that go back out with its events.
 *
 *	struct job *job = job_message_read(reader, config, topic, &message, err);
 *	char *headers = job_message_headers(&message);
 */
#ifndef SLUICE_JOB_MESSAGE_H
#define SLUICE_JOB_MESSAGE_H

#include "compiler.h"
#include "config.h"
#include "job.h"
#include "kafka_message.h"

struct job *job_message_read(const struct job_reader *reader, const struct config *config,
			     const char *topic, const struct kafka_message *message,
			     struct error *err) MUST_USE;

/* As a JSON object, "" for none. The caller's. */
char *job_message_headers(const struct kafka_message *message);

#endif
