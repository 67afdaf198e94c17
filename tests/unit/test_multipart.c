#include "multipart.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "unit.h"

#define TYPE "multipart/form-data; boundary=xyz"

/* The form as a text, "name=content" or "name<filename>=content" a part, taken `most` bytes at a
 * time; or what is wrong with it. */
static const char *read_form(const char *type, const char *body, size_t most)
{
	static struct buffer text;
	struct multipart m;
	struct part part;
	struct error err = {0};
	const char *bytes;
	size_t len;

	buffer_clear(&text);
	buffer_text(&text, "");
	if (!multipart_begin(&m, type, body, strlen(body), &err))
		return buffer_text(&text, err.text) ? text.data : NULL;
	while (multipart_next(&m, &part, &err)) {
		buffer_printf(&text, "%s", part.name);
		if (part.is_file)
			buffer_printf(&text, "<%s>", part.filename);
		buffer_byte(&text, '=');
		while (multipart_piece(&m, most, &bytes, &len)) {
			ck_assert(len > 0 && len <= most);
			buffer_append(&text, bytes, len);
		}
		buffer_byte(&text, ';');
	}
	buffer_text(&text, err.text);
	return text.data;
}

static const char form[] = "--xyz\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n"
			   "batch\r\n--xyz\r\ncontent-disposition: form-data; name=\"file\"; "
			   "filename=\"a;b.jsonl\"\r\nContent-Type: text/plain\r\n\r\n"
			   "{\"a\":1}\r\n\r\n--xy\r\n--xyy\n--xyz--\r\n--xyz--\r\n";

START_TEST(parts_come_with_their_names_and_bytes_whatever_the_size_of_pieces)
{
	static const char wanted[] = "purpose=batch;file<a;b.jsonl>="
				     "{\"a\":1}\r\n\r\n--xy\r\n--xyy\n--xyz--;";

	for (size_t most = 1; most < 100; most++)
		ck_assert_str_eq(read_form(TYPE, form, most), wanted);
}
END_TEST

START_TEST(a_boundary_may_be_in_quotes_and_beside_other_parameters)
{
	static const char *const types[] = {
		"multipart/form-data; boundary=\"xyz\"",
		"Multipart/Form-Data; charset=utf-8; boundary=xyz",
		"multipart/form-data;boundary=xyz; charset=utf-8",
	};

	for (size_t i = 0; i < COUNT_OF(types); i++)
		ck_assert_msg(strstr(read_form(types[i], form, 64), "purpose=batch;"), "%s",
			      types[i]);
}
END_TEST

START_TEST(an_empty_part_and_an_empty_form_are_none_the_worse)
{
	ck_assert_str_eq(read_form(TYPE,
				   "--xyz\r\nContent-Disposition: form-data; "
				   "name=\"file\"; filename=\"\"\r\n\r\n\r\n--xyz--",
				   64),
			 "file<>=;");
	ck_assert_str_eq(read_form(TYPE, "--xyz--\r\n", 64), "");
}
END_TEST

START_TEST(what_is_not_a_form_is_refused_with_the_reason)
{
	static const struct {
		const char *type;
		const char *body;
		const char *why;
	} bad[] = {
		{NULL, form, "multipart/form-data"},
		{"application/json", form, "multipart/form-data"},
		{"multipart/form-data", form, "no boundary"},
		{"multipart/form-data; boundary=", form, "no boundary"},
		{"multipart/form-data; boundary=\"\"", form, "no boundary"},
		{"multipart/form-data; xboundary=xyz", form, "no boundary"},
		{TYPE, "", "does not begin"},
		{TYPE, "purpose=batch", "does not begin"},
		{TYPE, "--xyz", "line break"},
		{TYPE, "--xyzz\r\n", "line break"},
		{TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"a\"", "no Content-Disp"},
		{TYPE, "--xyz\r\nX: y\r\n\r\nz\r\n--xyz--", "no Content-Disp"},
		{TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
		 "has no end"},
		{TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--xyz",
		 "line break"},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *told = read_form(bad[i].type, bad[i].body, 64);

		ck_assert_msg(strstr(told, bad[i].why), "%zu: \"%s\"", i, told);
	}
}
END_TEST

START_TEST(no_form_has_parts_without_end)
{
	AUTO_FINISH(buffer_finish) struct buffer body = {0};

	for (int i = 0; i < 100; i++)
		buffer_text(&body,
			    "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n");
	buffer_text(&body, "--xyz--");
	ck_assert_ptr_nonnull(strstr(read_form(TYPE, body.data, 64), "too many parts"));
}
END_TEST

UNIT_TESTS(multipart, parts_come_with_their_names_and_bytes_whatever_the_size_of_pieces,
	   a_boundary_may_be_in_quotes_and_beside_other_parameters,
	   an_empty_part_and_an_empty_form_are_none_the_worse,
	   what_is_not_a_form_is_refused_with_the_reason, no_form_has_parts_without_end)
