#include "generate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define DEEP 12	     /* from here on the shortest way out is taken */
#define TOO_DEEP 24  /* a schema that never ends gets null */
#define MAX_ITEMS 64 /* whatever minItems says beyond */
#define MAX_LENGTH 4096

static node_id member(const struct generator *g, node_id schema, const char *name)
{
	return schema == NONE ? NONE : document_member(g->doc, schema, name);
}

void generate_words(struct dice *dice, size_t bytes, struct buffer *out)
{
	static const char *const words[] = {
		"river",  "stone", "quiet", "market", "seven",	"garden", "early", "copper",
		"window", "north", "paper", "simple", "bridge", "winter", "light", "harbor",
	};
	size_t start = out->len;

	while (out->len - start < bytes) {
		if (out->len > start)
			buffer_byte(out, ' ');
		buffer_text(out, words[dice_below(dice, COUNT_OF(words))]);
	}
}

/* "#/$defs/name": follow the steps from the root. NONE: it leads nowhere. */
static node_id resolve(const struct generator *g, node_id reference)
{
	char path[256];
	node_id at = g->root;
	char *rest, *step;

	document_text(g->doc, reference, path, sizeof(path));
	if (strcmp(path, "#") == 0)
		return at;
	if (strncmp(path, "#/", 2) != 0)
		return NONE;
	for (step = strtok_r(path + 2, "/", &rest); step; step = strtok_r(NULL, "/", &rest)) {
		if (document_is(g->doc, at, NODE_ARRAY))
			at = document_element(g->doc, at, (uint32_t)atoi(step));
		else
			at = document_member(g->doc, at, step);
		if (at == NONE)
			return NONE;
	}
	return at;
}

static bool allows(const struct generator *g, node_id type, const char *name)
{
	if (document_is(g->doc, type, NODE_STRING))
		return document_equals(g->doc, type, name);
	for (node_id at = type == NONE ? NONE : document_first(g->doc, type); at != NONE;
	     at = document_after(g->doc, type, at))
		if (document_equals(g->doc, at, name))
			return true;
	return false;
}

/* The first type named that is not null, drawn now and then as null where that is allowed. */
static const char *choose_type(struct generator *g, node_id schema)
{
	static const char *const types[] = {"object", "array",	 "string",
					    "number", "integer", "boolean"};
	node_id type = member(g, schema, "type");
	bool null = allows(g, type, "null");

	if (null && (g->depth > DEEP || dice_below(g->dice, 5) == 0))
		return "null";
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (allows(g, type, types[i]))
			return types[i];
	if (null)
		return "null";
	if (member(g, schema, "properties"))
		return "object";
	if (member(g, schema, "items") || member(g, schema, "prefixItems"))
		return "array";
	if (member(g, schema, "minimum") || member(g, schema, "maximum"))
		return "number";
	return "string";
}

/* --- strings --- */

static void write_format(struct generator *g, const char *format, struct buffer *text)
{
	unsigned a = (unsigned)dice_below(g->dice, 28), b = (unsigned)dice_below(g->dice, 12);
	uint64_t r = dice_roll(g->dice);

	if (strcmp(format, "date-time") == 0)
		buffer_printf(text, "2026-%02u-%02uT%02u:%02u:05Z", b + 1, a + 1, a % 24, a * 2);
	else if (strcmp(format, "date") == 0)
		buffer_printf(text, "2026-%02u-%02u", b + 1, a + 1);
	else if (strcmp(format, "time") == 0)
		buffer_printf(text, "%02u:%02u:05Z", a % 24, a * 2);
	else if (strcmp(format, "duration") == 0)
		buffer_printf(text, "P%uD", a + 1);
	else if (strcmp(format, "email") == 0 || strcmp(format, "idn-email") == 0)
		buffer_printf(text, "user%u@example.com", a);
	else if (strcmp(format, "hostname") == 0 || strcmp(format, "idn-hostname") == 0)
		buffer_printf(text, "host%u.example.com", a);
	else if (strcmp(format, "ipv4") == 0)
		buffer_printf(text, "192.0.2.%u", a);
	else if (strcmp(format, "ipv6") == 0)
		buffer_printf(text, "2001:db8::%x", a);
	else if (strcmp(format, "uuid") == 0)
		buffer_printf(text, "%08x-%04x-4%03x-8%03x-%012" PRIx64, (unsigned)(r >> 32),
			      (unsigned)(r & 0xffff), a, b, r >> 16);
	else if (strncmp(format, "uri", 3) == 0 || strncmp(format, "iri", 3) == 0)
		buffer_printf(text, "https://example.com/%u", a);
	else
		generate_words(g->dice, 12, text);
}

static size_t count_characters(const struct buffer *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->len; i++)
		count += ((unsigned char)text->data[i] & 0xc0) != 0x80;
	return count;
}

/* Only for words: what a pattern or format gave is left as it is. */
static void fit_length(struct generator *g, node_id schema, struct buffer *text)
{
	int64_t min = document_integer(g->doc, member(g, schema, "minLength"), 0);
	int64_t max = document_integer(g->doc, member(g, schema, "maxLength"), MAX_LENGTH);

	min = min > MAX_LENGTH ? MAX_LENGTH : min;
	while (count_characters(text) < (size_t)min)
		buffer_byte(text, 'x');
	if (max >= 0 && text->len > (size_t)max)
		text->len = (size_t)max;
}

static void write_string(struct generator *g, node_id schema)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	node_id pattern = member(g, schema, "pattern");
	node_id format = member(g, schema, "format");
	char spelled[512];

	document_text(g->doc, pattern != NONE ? pattern : format, spelled, sizeof(spelled));
	if (pattern != NONE) {
		generate_pattern(g->dice, spelled, &text);
	} else if (format != NONE) {
		write_format(g, spelled, &text);
	} else {
		generate_words(g->dice, 4 + dice_below(g->dice, 40), &text);
		fit_length(g, schema, &text);
	}
	text_quote_bytes(g->out, text.data ? text.data : "", text.len);
}

/* --- numbers --- */

struct range {
	double low, high;
};

static struct range range_of(struct generator *g, node_id schema, double step)
{
	struct range range = {
		document_number(g->doc, member(g, schema, "minimum"), -INFINITY),
		document_number(g->doc, member(g, schema, "maximum"), INFINITY),
	};
	double over = document_number(g->doc, member(g, schema, "exclusiveMinimum"), -INFINITY);
	double under = document_number(g->doc, member(g, schema, "exclusiveMaximum"), INFINITY);

	if (over + step > range.low)
		range.low = over + step;
	if (under - step < range.high)
		range.high = under - step;
	if (isinf(range.low))
		range.low = isinf(range.high) || range.high > 0 ? 0 : range.high - 100;
	if (isinf(range.high))
		range.high = range.low + 100;
	return range;
}

static void write_integer(struct generator *g, node_id schema)
{
	double unit = document_number(g->doc, member(g, schema, "multipleOf"), 1);
	struct range range = range_of(g, schema, 1);
	int64_t first, last;

	unit = unit < 1 ? 1 : unit;
	first = (int64_t)ceil(range.low / unit);
	last = (int64_t)floor(range.high / unit);
	if (last > first)
		first += (int64_t)dice_below(g->dice, (uint64_t)(last - first) + 1);
	text_integer(g->out, first * (int64_t)unit);
}

/* Is it a measure of how sure the answer is? */
static bool is_score(const struct document *doc, node_id name)
{
	static const char *const names[] = {"confidence", "score", "certainty", "probability"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (name != NONE && document_equals(doc, name, names[i]))
			return true;
	return false;
}

static void write_number(struct generator *g, node_id schema, node_id name)
{
	double unit = document_number(g->doc, member(g, schema, "multipleOf"), 0);
	struct range range = range_of(g, schema, 0.001);
	double value = range.low + (range.high - range.low) * dice_unit(g->dice);

	if (is_score(g->doc, name) && range.low <= 0.1 && range.high >= 0.999)
		value = (g->low_scores ? 0.15 : 0.9) + 0.099 * dice_unit(g->dice);
	if (unit > 0)
		value = unit * ceil(range.low / unit + 0.5 * (value > range.low));
	else
		value = floor(value * 1000) / 1000 < range.low ? range.low
							       : floor(value * 1000) / 1000;
	buffer_printf(g->out, "%.*g", 12, value);
}

/* --- containers --- */

static bool is_required(const struct generator *g, node_id required, node_id name)
{
	size_t len, other_len;
	const char *text = document_raw(g->doc, name, &len);

	if (required == NONE)
		return false;
	for (node_id at = document_first(g->doc, required); at != NONE;
	     at = document_after(g->doc, required, at)) {
		const char *other = document_raw(g->doc, at, &other_len);

		if (len == other_len && memcmp(text, other, len) == 0)
			return true;
	}
	return false;
}

static void write_value(struct generator *g, node_id schema, node_id name);

/* The members of `properties`, required ones always and others half of the time. */
static void write_properties(struct generator *g, node_id schema, bool *first)
{
	node_id properties = member(g, schema, "properties");
	node_id required = member(g, schema, "required");
	node_id all = member(g, schema, "allOf");
	node_id reference = member(g, schema, "$ref");

	if (reference != NONE && resolve(g, reference) != NONE && g->depth < TOO_DEEP)
		write_properties(g, resolve(g, reference), first);
	for (node_id at = all == NONE ? NONE : document_first(g->doc, all); at != NONE;
	     at = document_after(g->doc, all, at))
		write_properties(g, at, first);
	for (node_id name = properties == NONE ? NONE : document_first(g->doc, properties);
	     name != NONE; name = document_after(g->doc, properties, name + 1)) {
		if (!is_required(g, required, name) &&
		    (g->depth > DEEP || dice_below(g->dice, 2) == 0))
			continue;
		if (!*first)
			buffer_byte(g->out, ',');
		*first = false;
		document_copy(g->doc, name, g->out);
		buffer_byte(g->out, ':');
		write_value(g, name + 1, name);
	}
}

/* Names that are required but described nowhere. */
static void write_undescribed(struct generator *g, node_id schema, bool *first)
{
	node_id properties = member(g, schema, "properties");
	node_id required = member(g, schema, "required");
	char name[128];

	for (node_id at = required == NONE ? NONE : document_first(g->doc, required); at != NONE;
	     at = document_after(g->doc, required, at)) {
		document_text(g->doc, at, name, sizeof(name));
		if (properties != NONE && document_member(g->doc, properties, name) != NONE)
			continue;
		if (!*first)
			buffer_byte(g->out, ',');
		*first = false;
		document_copy(g->doc, at, g->out);
		buffer_text(g->out, ":\"any\"");
	}
}

static void write_object(struct generator *g, node_id schema)
{
	bool first = true;

	buffer_byte(g->out, '{');
	write_properties(g, schema, &first);
	if (member(g, schema, "allOf") == NONE)
		write_undescribed(g, schema, &first);
	buffer_byte(g->out, '}');
}

static void write_array(struct generator *g, node_id schema)
{
	node_id items = member(g, schema, "items"), prefix = member(g, schema, "prefixItems");
	int64_t min = document_integer(g->doc, member(g, schema, "minItems"), 0);
	int64_t max = document_integer(g->doc, member(g, schema, "maxItems"), min + 3);
	int64_t count = min;

	if (max > min && g->depth <= DEEP)
		count += (int64_t)dice_below(g->dice,
					     (uint64_t)(max - min > 3 ? 3 : max - min) + 1);
	if (prefix != NONE && count < (int64_t)g->doc->nodes[prefix].count)
		count = (int64_t)g->doc->nodes[prefix].count;
	count = count > MAX_ITEMS ? MAX_ITEMS : count;
	buffer_byte(g->out, '[');
	for (int64_t i = 0; i < count; i++) {
		node_id element = document_element(g->doc, prefix, (uint32_t)i);

		if (i > 0)
			buffer_byte(g->out, ',');
		element = element != NONE ? element : items;
		if (element != NONE)
			write_value(g, element, NONE);
		else
			text_integer(g->out, i);
	}
	buffer_byte(g->out, ']');
}

/* --- any schema --- */

static void write_typed(struct generator *g, node_id schema, node_id name)
{
	const char *type = choose_type(g, schema);

	if (strcmp(type, "object") == 0)
		write_object(g, schema);
	else if (strcmp(type, "array") == 0)
		write_array(g, schema);
	else if (strcmp(type, "string") == 0)
		write_string(g, schema);
	else if (strcmp(type, "integer") == 0)
		write_integer(g, schema);
	else if (strcmp(type, "number") == 0)
		write_number(g, schema, name);
	else if (strcmp(type, "boolean") == 0)
		buffer_text(g->out, dice_below(g->dice, 2) ? "true" : "false");
	else
		buffer_text(g->out, "null");
}

/* One of the alternatives; deep down the last, where "or null" is written. */
static node_id choose_branch(struct generator *g, node_id branches)
{
	uint32_t count = branches == NONE ? 0 : g->doc->nodes[branches].count;

	if (count == 0)
		return NONE;
	return document_element(g->doc, branches,
				g->depth > DEEP ? count - 1 : (uint32_t)dice_below(g->dice, count));
}

static node_id alternative(struct generator *g, node_id schema)
{
	node_id branch = choose_branch(g, member(g, schema, "anyOf"));

	if (branch == NONE)
		branch = choose_branch(g, member(g, schema, "oneOf"));
	if (branch == NONE && member(g, schema, "properties") == NONE) {
		node_id all = member(g, schema, "allOf");

		if (all != NONE && g->doc->nodes[all].count == 1)
			branch = document_first(g->doc, all);
	}
	return branch;
}

static void write_value(struct generator *g, node_id schema, node_id name)
{
	node_id fixed = member(g, schema, "const");
	node_id choices = member(g, schema, "enum");
	node_id reference = member(g, schema, "$ref");
	node_id branch;

	if (fixed == NONE && choices != NONE)
		fixed = document_element(
			g->doc, choices,
			(uint32_t)dice_below(g->dice, g->doc->nodes[choices].count));
	if (fixed != NONE) {
		document_copy(g->doc, fixed, g->out);
		return;
	}
	if (++g->depth > TOO_DEEP) {
		buffer_text(g->out, "null");
	} else if (reference != NONE && resolve(g, reference) != NONE) {
		write_value(g, resolve(g, reference), name);
	} else if ((branch = alternative(g, schema)) != NONE) {
		write_value(g, branch, name);
	} else if (member(g, schema, "allOf") != NONE) {
		write_object(g, schema);
	} else {
		write_typed(g, schema, name);
	}
	g->depth--;
}

void generate(struct generator *g, node_id schema)
{
	g->depth = 0;
	write_value(g, schema, NONE);
}
