/*
 * A job as the body of a request to Anthropic's Messages. Unlike in OpenAI's
 * dialect, system text stands apart, turns alternate, the output cap is a must,
 * and what shall be cached is marked.
 *
 * For provider_anthropic.c, which reads the reply.
 */
#ifndef SLUICE_ANTHROPIC_REQUEST_H
#define SLUICE_ANTHROPIC_REQUEST_H

#include "provider.h"

/* The tool older models are made to call with their answer; no job's tool is called so. */
#define ANTHROPIC_ANSWER_TOOL "sluice_answer"

bool anthropic_build(const struct call *call, struct buffer *body, struct error *err) MUST_USE;

#endif
