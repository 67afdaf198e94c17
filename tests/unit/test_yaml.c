#include "yaml.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "unit.h"

static struct yaml *read_text(const char *text, struct error *err)
{
	return yaml_read("t.yaml", text, strlen(text), err);
}

/* The tree as JSON; or the error. The caller frees it. */
static char *outcome(const char *text)
{
	struct error err = {0};
	struct yaml *doc = read_text(text, &err);
	char *json = doc ? json_write(yaml_tree(doc)) : xstrdup(err.text);

	yaml_destroy(doc);
	return json;
}

static const struct {
	const char *yaml;
	const char *json;
} readings[] = {
	{"a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}"},
	{"n: ~\nm: null\ne:\nq: 'null'\n", "{\"n\":null,\"m\":null,\"e\":null,\"q\":\"null\"}"},
	{"t: true\nf: False\ny: yes\no: on\n",
	 "{\"t\":true,\"f\":false,\"y\":\"yes\",\"o\":\"on\"}"},
	{"i: -7\nr: 2.5\nx: 1e3\nu: 200_000\nh: 0x1F\nd: 30s\np: +4\n",
	 "{\"i\":-7,\"r\":2.5,\"x\":1000.0,\"u\":\"200_000\",\"h\":\"0x1F\",\"d\":\"30s\",\"p\":"
	 "4}"},
	{"v: 1.2.3\ndot: .\nminus: '-'\nempty: ''\n",
	 "{\"v\":\"1.2.3\",\"dot\":\".\",\"minus\":\"-\",\"empty\":\"\"}"},
	{"{\"json\": [1, {\"is\": \"yaml\"}], \"u\": \"\\u00e9\"}",
	 "{\"json\":[1,{\"is\":\"yaml\"}],\"u\":\"\xc3\xa9\"}"},
	{"{\n\t\"tabs\": [\n\t\t1\n\t]\n}\n", "{\"tabs\":[1]}"},
	{"a: &x {k: 1}\nb: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"},
	{"t: |\n  two\n  lines\n", "{\"t\":\"two\\nlines\\n\"}"},
	{"# a comment\nu: ${HOME:-x}\nb: ${A:-postgresql:///x}\n",
	 "{\"u\":\"${HOME:-x}\",\"b\":\"${A:-postgresql:///x}\"}"},
};

START_TEST(yaml_becomes_the_json_it_means)
{
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		char *got = outcome(readings[i].yaml);

		ck_assert_msg(!strcmp(got, readings[i].json), "%s\nread as %s, not %s",
			      readings[i].yaml, got, readings[i].json);
		free(got);
	}
}
END_TEST

static const struct {
	const char *yaml;
	const char *error; /* how it must begin */
} refusals[] = {
	{"", "t.yaml: holds no settings"},
	{"# only a comment\n", "t.yaml: holds no settings"},
	{"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: "},
	{"a: [1, 2\nb: 3\n", "t.yaml:"},
	{"a: 1\n b: 2\n", "t.yaml:1:4: "},
	{"a: 1\n---\nb: 2\n", "t.yaml: a second document"},
	{"a: !!str 7\n", "t.yaml:1:10: tags"},
	{"a: 99999999999999999999\n", "t.yaml:1:4: number"},
	{"a: 1e999\n", "t.yaml:1:4: number"},
	{"a: \"x\\0y\"\n", "t.yaml:1:"},
	{"[a, b]: 1\n", "t.yaml:1:"},
	{"a: *nowhere\n", "t.yaml:1:"},
	{"a: \xff\xfe\n", "t.yaml"},
	{"a: &x [*x]\n", "t.yaml:1:"},
};

START_TEST(what_is_wrong_is_shown_where_it_stands)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *got = outcome(refusals[i].yaml);

		ck_assert_msg(!strncmp(got, refusals[i].error, strlen(refusals[i].error)),
			      "%s\ngave %s, not %s", refusals[i].yaml, got, refusals[i].error);
		free(got);
	}
}
END_TEST

START_TEST(a_small_text_cannot_become_a_large_tree)
{
	AUTO_FINISH(buffer_finish) struct buffer bomb = {0};
	struct error err = {0};

	buffer_text(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++) {
		buffer_printf(&bomb, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buffer_printf(&bomb, "%s*a%d", k ? ", " : "", i - 1);
		buffer_text(&bomb, "]\n");
	}
	ck_assert_ptr_null(read_text(bomb.data, &err));
	ck_assert_msg(strstr(err.text, "values"), "%s", err.text);
}
END_TEST

START_TEST(depth_is_capped)
{
	AUTO_FINISH(buffer_finish) struct buffer deep = {0};
	struct error err = {0};

	for (int i = 0; i < 10000; i++)
		buffer_byte(&deep, '[');
	for (int i = 0; i < 10000; i++)
		buffer_byte(&deep, ']');
	ck_assert_ptr_null(read_text(deep.data, &err));
}
END_TEST

START_TEST(size_is_capped)
{
	AUTO_FINISH(buffer_finish) struct buffer long_text = {0};
	struct error err = {0};

	buffer_text(&long_text, "a: ");
	while (long_text.len <= (1 << 20))
		buffer_text(&long_text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	ck_assert_ptr_null(yaml_read("t.yaml", long_text.data, long_text.len, &err));
	ck_assert_msg(strstr(err.text, "the most is"), "%s", err.text);
}
END_TEST

static const struct {
	const char *pointer;
	int line, column, key_line, key_column;
} places[] = {
	{"", 1, 1, 1, 1},
	{"/kafka/brokers", 2, 12, 2, 3},
	{"/tiers/1/name", 5, 11, 5, 5},
	{"/tiers/1", 5, 5, 5, 5},
	{"/a~1b/c~0d", 6, 14, 6, 8},
	{"/kafka/absent", 2, 3, 1, 1},
	{"/tiers/9/name", 4, 5, 4, 5},
	{"/flow/x/1", 7, 16, 7, 16},
};

START_TEST(a_pointer_leads_to_its_line_and_column)
{
	static const char text[] = "kafka:\n"
				   "  brokers: here\n"
				   "tiers:\n"
				   "  - name: one\n"
				   "  - name: two\n"
				   "a/b: { c~d:  1 }\n"
				   "flow: {x: [ 1, 2]}\n";
	struct error err = {0};
	struct yaml *doc = read_text(text, &err);

	ck_assert_msg(doc != NULL, "%s", err.text);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int line, column, key_line, key_column;

		yaml_locate(doc, places[i].pointer, &line, &column);
		yaml_locate_key(doc, places[i].pointer, &key_line, &key_column);
		ck_assert_msg(line == places[i].line && column == places[i].column,
			      "%s is at %d:%d", places[i].pointer, line, column);
		ck_assert_msg(key_line == places[i].key_line && key_column == places[i].key_column,
			      "the key of %s is at %d:%d", places[i].pointer, key_line, key_column);
	}
	ck_assert(!yaml_error(doc, "/tiers/1/name", &err, "tier \"%s\" is odd", "two"));
	ck_assert_str_eq(err.text, "t.yaml:5:11: tier \"two\" is odd");
	ck_assert_int_eq(err.kind, ERROR_REJECT);
	yaml_destroy(doc);
}
END_TEST

static const char *const trees[] = {
	"{\"a\":1,\"b\":[1,[2,[]],{\"c\":{},\"d\":[{\"e\":null,\"f\":true}]}]}",
	"[\"\",\"true\",\"Yes\",\"null\",\"~\",\"1\",\"1.5\",\"-\",\"- a\",\"a: "
	"b\",\"a:\",\"a:b\",\"#x\",\"a #b\"]",
	"[\" lead\",\"trail "
	"\",\"two\\nlines\",\"tab\\t\",\"\\u0007\",\"\\\"q\\\"\",\"'\",\"{a}\",\"*a\",\"&a\",\"!"
	"a\"]",
	"[0.1,0.4,1.0,1e300,-2.5e-7,100000.0,0,-5,9007199254740993]",
	"{\"key with: colon\":\"${X:-y}\",\"\":\"empty\",\"true\":\"/etc\",\"7\":\"host:9092\"}",
	"{\"schema\":{\"type\":\"object\",\"pattern\":\"^[^\\u0001]+$\"}}",
	"[\"10MiB\",\"30s\",\"0x1F\",\"0o17\",\"1e5\",\"1e\",\"1_000\",\"1:30\",\"5.5s\"]",
	"[[[1]],[[],{}]]",
	"{}",
	"[]",
};

START_TEST(what_is_written_reads_back_as_the_same)
{
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		AUTO_FINISH(buffer_finish) struct buffer out = {0};
		struct error err = {0};
		json_auto_t *tree = json_read(trees[i], strlen(trees[i]), JSON_OURS, &err);
		struct yaml *back;

		ck_assert_msg(tree != NULL, "%s: %s", trees[i], err.text);
		ck_assert(yaml_write(&out, tree));
		back = read_text(out.data, &err);
		ck_assert_msg(back != NULL, "%s\n%s", out.data, err.text);
		ck_assert_msg(json_equal(yaml_tree(back), tree), "%s became\n%s", trees[i],
			      out.data);
		yaml_destroy(back);
	}
}
END_TEST

START_TEST(numbers_are_written_as_short_as_they_can_be)
{
	AUTO_FINISH(buffer_finish) struct buffer out = {0};
	json_auto_t *tree = json_pack("{s:f, s:f, s:s}", "a", 0.4, "b", 3.0, "c", "gpt-4o-mini");

	ck_assert(yaml_write(&out, tree));
	ck_assert_str_eq(out.data, "a: 0.4\nb: 3.0\nc: gpt-4o-mini\n");
}
END_TEST

UNIT_TESTS(yaml, yaml_becomes_the_json_it_means, what_is_wrong_is_shown_where_it_stands,
	   a_small_text_cannot_become_a_large_tree, depth_is_capped, size_is_capped,
	   a_pointer_leads_to_its_line_and_column, what_is_written_reads_back_as_the_same,
	   numbers_are_written_as_short_as_they_can_be)
