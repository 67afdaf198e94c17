#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

static const struct {
	uint32_t net, mask;
} closed[] = {
	{0x00000000, 0xff000000}, /* 0.0.0.0/8: this host */
	{0x0a000000, 0xff000000}, /* 10.0.0.0/8: private */
	{0x64400000, 0xffc00000}, /* 100.64.0.0/10: behind a carrier's NAT */
	{0x7f000000, 0xff000000}, /* 127.0.0.0/8: loopback */
	{0xa9fe0000, 0xffff0000}, /* 169.254.0.0/16: link-local, cloud metadata */
	{0xac100000, 0xfff00000}, /* 172.16.0.0/12: private */
	{0xc0000000, 0xffffff00}, /* 192.0.0.0/24: protocol assignments */
	{0xc0a80000, 0xffff0000}, /* 192.168.0.0/16: private */
	{0xc6120000, 0xfffe0000}, /* 198.18.0.0/15: benchmarks */
	{0xe0000000, 0xe0000000}, /* 224.0.0.0/3: multicast, reserved, broadcast */
};

static bool is_public_v4(uint32_t address)
{
	for (size_t i = 0; i < COUNT_OF(closed); i++)
		if ((address & closed[i].mask) == closed[i].net)
			return false;
	return true;
}

/* Only 2000::/3 is routed; in it, 6to4 and Teredo carry IPv4 addresses along. */
static bool is_public_v6(const struct in6_addr *six)
{
	const uint8_t *b = six->s6_addr;
	uint32_t embedded;

	if (IN6_IS_ADDR_V4MAPPED(six)) {
		memcpy(&embedded, &b[12], sizeof(embedded));
		return is_public_v4(ntohl(embedded));
	}
	if (b[0] == 0x20 && b[1] == 0x02) {
		memcpy(&embedded, &b[2], sizeof(embedded));
		return is_public_v4(ntohl(embedded));
	}
	if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0)
		return false;
	return (b[0] & 0xe0) == 0x20;
}

bool address_is_public(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return is_public_v4(ntohl(four.s_addr));
	return inet_pton(AF_INET6, address, &six) == 1 && is_public_v6(&six);
}

bool address_is_loopback(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}
