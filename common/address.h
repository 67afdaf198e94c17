/*
 * Whether an address is one of the open Internet, for calls to places that
 * users name (webhooks): those must not reach what is behind our own walls.
 *
 *	if (!address_is_public("169.254.169.254"))      -- a cloud's metadata: false
 */
#ifndef SLUICE_ADDRESS_H
#define SLUICE_ADDRESS_H

#include <stdbool.h>

/* An IPv4 or IPv6 address as text; false too for what is no address. */
bool address_is_public(const char *address);

/* One of this host itself: 127.0.0.0/8 or ::1, as text. */
bool address_is_loopback(const char *address);

#endif
