/*
 * Requests as they came, one JSON line each, without what authenticates them;
 * for tests that hold them against the providers' schemas.
 *
 *	{"method":"POST","url":"/v1/messages","headers":{…},"body":"…"}
 */
#ifndef SIMULATOR_RECORD_H
#define SIMULATOR_RECORD_H

#include <stdio.h>

#include "request.h"

void record_request(FILE *file, const struct request *request);

#endif
