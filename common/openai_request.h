/*
 * A job as the body of a request to OpenAI's chat completions, and to every
 * server that speaks the same dialect: vLLM, Gemini's compatible path, gateways.
 *
 * For provider_openai.c, which reads the reply.
 */
#ifndef SLUICE_OPENAI_REQUEST_H
#define SLUICE_OPENAI_REQUEST_H

#include "provider.h"

bool openai_build(const struct call *call, struct buffer *body, struct error *err) MUST_USE;

#endif
