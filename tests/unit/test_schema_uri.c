#include "schema_uri.h"

#include <string.h>

#include "ensure.h"
#include "unit.h"

static void expect(const char *base, const char *reference, const char *expected)
{
	AUTO(xfree) char *uri = schema_uri_resolve(base, reference);

	ck_assert_msg(strcmp(uri, expected) == 0, "\"%s\" from \"%s\" is \"%s\", expected \"%s\"",
		      reference, base, uri, expected);
}

START_TEST(references_resolve_as_rfc_3986_shows)
{
	/* Sections 5.4.1 and 5.4.2. */
	static const char base[] = "http://a/b/c/d;p?q";
	static const char *const rows[][2] = {
		{"g:h", "g:h"},
		{"g", "http://a/b/c/g"},
		{"./g", "http://a/b/c/g"},
		{"g/", "http://a/b/c/g/"},
		{"/g", "http://a/g"},
		{"//g", "http://g"},
		{"?y", "http://a/b/c/d;p?y"},
		{"g?y", "http://a/b/c/g?y"},
		{"#s", "http://a/b/c/d;p?q#s"},
		{"g#s", "http://a/b/c/g#s"},
		{"g?y#s", "http://a/b/c/g?y#s"},
		{";x", "http://a/b/c/;x"},
		{"g;x?y#s", "http://a/b/c/g;x?y#s"},
		{"", "http://a/b/c/d;p?q"},
		{".", "http://a/b/c/"},
		{"./", "http://a/b/c/"},
		{"..", "http://a/b/"},
		{"../", "http://a/b/"},
		{"../g", "http://a/b/g"},
		{"../..", "http://a/"},
		{"../../", "http://a/"},
		{"../../g", "http://a/g"},
		{"../../../g", "http://a/g"},
		{"/./g", "http://a/g"},
		{"/../g", "http://a/g"},
		{"g.", "http://a/b/c/g."},
		{"..g", "http://a/b/c/..g"},
		{"./../g", "http://a/b/g"},
		{"./g/.", "http://a/b/c/g/"},
		{"g/./h", "http://a/b/c/g/h"},
		{"g/../h", "http://a/b/c/h"},
		{"g;x=1/../y", "http://a/b/c/y"},
		{"g?y/../x", "http://a/b/c/g?y/../x"},
		{"http:g", "http:g"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect(base, rows[i][0], rows[i][1]);
}
END_TEST

START_TEST(references_resolve_without_a_base_too)
{
	expect("", "a.json#/x", "a.json#/x");
	expect("", "#x", "#x");
	expect("a/b.json", "c.json", "a/c.json");
	expect("urn:example:root", "#x", "urn:example:root#x");
	expect("http://a", "b", "http://a/b");
}
END_TEST

static void expect_fragment(const char *uri, const char *expected)
{
	AUTO(xfree) char *fragment = schema_uri_fragment(uri);

	ck_assert_str_eq(fragment, expected);
}

START_TEST(a_fragment_is_decoded_and_never_read_past_its_end)
{
	expect_fragment("x#/a%25b%2Fc", "/a%b/c");
	expect_fragment("x", "");
	expect_fragment("x#", "");
	expect_fragment("x#%", "%");
	expect_fragment("x#%4", "%4");
	expect_fragment("x#%4g", "%4g");
	ck_assert_uint_eq(schema_uri_bare_len("http://a/b#c"), 10);
}
END_TEST

UNIT_TESTS(schema_uri, references_resolve_as_rfc_3986_shows, references_resolve_without_a_base_too,
	   a_fragment_is_decoded_and_never_read_past_its_end)
