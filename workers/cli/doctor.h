/* The parts of `sluice doctor`: each looks at one thing and adds what it found. */
#ifndef SLUICE_CLI_DOCTOR_H
#define SLUICE_CLI_DOCTOR_H

#include "findings.h"
#include "session.h"

void doctor_config(struct findings *findings, const struct config *config);
void doctor_kafka(struct findings *findings, const struct config *config);
/* With session->pg connected; both. */
void doctor_postgres(struct findings *findings, struct session *session);
void doctor_fleet(struct findings *findings, struct session *session);

#endif
