#include "address.h"

#include "unit.h"

START_TEST(walls_are_known_from_the_open)
{
	static const char *const open[] = {"8.8.8.8",	      "1.1.1.1",	"172.15.255.255",
					   "172.32.0.0",      "100.63.0.1",	"223.255.255.255",
					   "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"};
	static const char *const walled[] = {"0.0.0.0",
					     "10.1.2.3",
					     "100.64.0.1",
					     "127.0.0.1",
					     "127.255.255.255",
					     "169.254.169.254",
					     "172.16.0.1",
					     "172.31.255.255",
					     "192.168.1.1",
					     "198.19.0.1",
					     "224.0.0.1",
					     "255.255.255.255",
					     "::",
					     "::1",
					     "fe80::1",
					     "fc00::1",
					     "fd12::1",
					     "ff02::1",
					     "::ffff:127.0.0.1",
					     "::ffff:10.0.0.1",
					     "2002:a00:1::1",
					     "2001::1",
					     "64:ff9b::7f00:1",
					     "",
					     "localhost",
					     "8.8.8.8.8",
					     "0x7f.1"};

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		ck_assert_msg(address_is_public(open[i]), "%s", open[i]);
	for (size_t i = 0; i < sizeof(walled) / sizeof(walled[0]); i++)
		ck_assert_msg(!address_is_public(walled[i]), "%s", walled[i]);
}
END_TEST

START_TEST(only_this_host_is_loopback)
{
	static const char *const here[] = {"127.0.0.1", "127.1.2.3", "::1"};
	static const char *const away[] = {
		"128.0.0.1", "10.0.0.1", "::",	  "::2",
		"localhost", "",	 "127.1", "::ffff:127.0.0.1.example"};

	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		ck_assert_msg(address_is_loopback(here[i]), "%s", here[i]);
	for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++)
		ck_assert_msg(!address_is_loopback(away[i]), "%s", away[i]);
}
END_TEST

UNIT_TESTS(address, walls_are_known_from_the_open, only_this_host_is_loopback)
