#include "file_lines.h"

#include <string.h>

#include "unit.h"

/* The lines of a text that comes in pieces of this size, "number:bytes;" each. */
static const char *read_all(const char *text, size_t piece, size_t most)
{
	static struct buffer told;
	struct file_lines lines = {.most = most};
	size_t at = 0, total = strlen(text), len;
	const char *bytes;

	buffer_clear(&told);
	buffer_text(&told, "");
	for (;;) {
		switch (file_lines_next(&lines, &bytes, &len)) {
		case LINE_GOT:
			buffer_printf(&told, "%d:%.*s;", lines.number, (int)len, bytes);
			break;
		case LINE_TOO_LONG:
			buffer_printf(&told, "%d:long;", lines.number);
			break;
		case LINE_WANTS_MORE:
			ck_assert_uint_le(lines.bytes.len - lines.at, most);
			len = total - at < piece ? total - at : piece;
			if (len == 0)
				file_lines_end(&lines);
			else
				file_lines_feed(&lines, text + at, len);
			at += len;
			break;
		case LINE_NO_MORE:
			file_lines_finish(&lines);
			return told.data;
		}
	}
}

START_TEST(lines_are_the_same_whatever_the_size_of_pieces)
{
	static const struct {
		const char *text;
		const char *lines;
	} cases[] = {
		{"", ""},
		{"\n\n", ""},
		{"a", "1:a;"},
		{"a\n", "1:a;"},
		{"a\nb", "1:a;2:b;"},
		{"\n \t\r\na\n\nbc\n", "3:a;5:bc;"},
		{"0123456789\nab\n0123456789abcdef", "1:long;2:ab;3:long;"},
		{"ab\n0123456789012345678901234567890123456789\ncd\n", "1:ab;2:long;3:cd;"},
		{"01234567\n012345678\n", "1:01234567;2:long;"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (size_t piece = 1; piece < 60; piece++)
			ck_assert_str_eq(read_all(cases[i].text, piece, 8), cases[i].lines);
}
END_TEST

UNIT_TESTS(file_lines, lines_are_the_same_whatever_the_size_of_pieces)
