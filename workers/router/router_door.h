/*
 * What the router tells: /metrics, /healthz and /readyz, where --listen says.
 *
 *	AUTO(router_door_destroy) struct router_door *door = router_door_create("127.0.0.1:9465",
 *token, consumer, &err);
 */
#ifndef SLUICE_ROUTER_DOOR_H
#define SLUICE_ROUTER_DOOR_H

#include "compiler.h"
#include "error.h"
#include "kafka_consumer.h"
#include "web.h"

struct router_door;

/* Borrows the consumer. */
struct router_door *router_door_create(const char *listen, const char *token,
				       const struct kafka_consumer *consumer,
				       struct error *err) MUST_USE;
void router_door_destroy(struct router_door *door);
AUTO_DEFINE(struct router_door, router_door_destroy)

struct web *router_door_web(struct router_door *door);

#endif
