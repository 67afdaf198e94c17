#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "quote.h"
#include "timestamp.h"

#define MAX_LINE 4095 /* with its newline one write is whole even on a pipe (PIPE_BUF) */
#define MAX_FIELDS 32
#define MAX_EVENTS 64
#define FIELD_BREAK '\x1f'

/*
 * What was written of an event lately. Slots are found by the name's hash and
 * shared when two names meet: then they are limited together, which only ever
 * holds back more.
 */
struct event_count {
	const char *event;
	nsec since;
	uint32_t written;
	uint64_t suppressed;
};

static struct {
	pthread_mutex_t lock;
	struct log_settings settings;
	struct event_count events[MAX_EVENTS];
} logger = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.settings = LOG_DEFAULTS,
};

static const char *const level_names[] = {
#define LEVEL_TEXT(name, text) [LOG_LEVEL_##name] = text,
	LOG_LEVELS(LEVEL_TEXT)
#undef LEVEL_TEXT
};

void log_open(const struct log_settings *settings)
{
	pthread_mutex_lock(&logger.lock);
	logger.settings = *settings;
	memset(logger.events, 0, sizeof(logger.events));
	pthread_mutex_unlock(&logger.lock);
}

static bool parse_word(struct log_settings *settings, const char *word, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(level_names); i++) {
		if (strlen(level_names[i]) == len && memcmp(level_names[i], word, len) == 0) {
			settings->level = (enum log_level)i;
			return true;
		}
	}
	if (len == 3 && memcmp(word, "all", 3) == 0) {
		settings->burst = settings->info_burst = 0;
		return true;
	}
	settings->json = len == 4 && memcmp(word, "json", 4) == 0;
	return settings->json || (len == 6 && memcmp(word, "logfmt", 6) == 0);
}

bool log_settings_parse(struct log_settings *settings, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ",");

		if (!parse_word(settings, text, len))
			return false;
		text += len;
		text += *text == ',';
	}
	return true;
}

/* --- the line --- */

/* All or nothing, so that a line at its cap is still well formed. */
static bool append_field(struct buffer *out, bool json, const char *key, size_t key_len,
			 const char *value, size_t len)
{
	size_t before = out->len;
	bool fits = json ? buffer_printf(out, ",\"%.*s\":", (int)key_len, key)
			 : buffer_printf(out, " %.*s=", (int)key_len, key);

	if (fits && json && len <= 15 && quote_is_number(value, len))
		fits = buffer_append(out, value, len);
	else if (fits)
		fits = json ? quote_json(out, value, len) : quote_logfmt(out, value, len);
	if (!fits) {
		out->len = before;
		out->data[before] = '\0';
	}
	return fits;
}

/* As much of a value as the line still takes: a long one is cut, not left out. */
static void append_fitting(struct buffer *out, bool json, const char *key, size_t key_len,
			   const char *value, size_t len)
{
	while (!append_field(out, json, key, key_len, value, len)) {
		if (len < 16)
			return;
		len /= 2;
	}
}

struct field {
	const char *key;
	size_t key_len;
	size_t end; /* of the field in the format */
};

/* Where the fields of a format are: key=conversion, parted by blanks outside of quotes. */
static size_t split_format(const char *fmt, struct field *fields)
{
	size_t count = 0;

	for (size_t at = 0; fmt[at] && count < MAX_FIELDS; count++) {
		bool quoted = false;

		fields[count].key = fmt + at;
		fields[count].key_len = strcspn(fmt + at, "= ");
		for (; fmt[at] && (quoted || fmt[at] != ' '); at++)
			quoted ^= fmt[at] == '"';
		fields[count].end = at;
		at += fmt[at] == ' ';
	}
	return count;
}

static char *format_prefix(const char *fmt, size_t len, va_list args)
{
	AUTO(xfree) char *prefix = xstrndup(fmt, len);
	char *text = NULL;
	va_list copy;

	va_copy(copy, args);
	ENSURE(vasprintf(&text, prefix, copy) >= 0);
	va_end(copy);
	return text;
}

/* A field as printed, "key=value" or key="value", goes out escaped. */
static void append_printed(struct buffer *out, bool json, const struct field *field,
			   const char *printed, size_t len)
{
	const char *value = printed + field->key_len;
	size_t left = len - field->key_len;

	if (left > 0 && *value == '=') {
		value++;
		left--;
	}
	if (field->key[field->key_len] == '=' && field->key[field->key_len + 1] == '"' &&
	    left >= 2) {
		value++;
		left -= 2;
	}
	append_fitting(out, json, field->key, field->key_len, value, left);
}

/*
 * The slow and certain way: where field i ends in the text is the length of the
 * format up to there. Needed only when a value itself holds our field break.
 */
static void append_exactly(struct buffer *out, bool json, const char *fmt,
			   const struct field *fields, size_t count, va_list args)
{
	size_t start = 0;

	for (size_t i = 0; i < count; i++) {
		AUTO(xfree) char *text = format_prefix(fmt, fields[i].end, args);
		size_t len = strlen(text);

		append_printed(out, json, &fields[i], text + start, len - start);
		start = len + 1;
	}
}

static size_t count_breaks(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == FIELD_BREAK;
	return count;
}

/* Print the whole format once, with the blanks between fields as breaks no text has. */
static void append_fields(struct buffer *out, bool json, const char *fmt, va_list args)
{
	struct field fields[MAX_FIELDS];
	size_t count = split_format(fmt, fields);
	AUTO(xfree) char *broken = xstrdup(fmt);
	AUTO(xfree) char *text = NULL;
	const char *at;

	for (size_t i = 0; i + 1 < count; i++)
		broken[fields[i].end] = FIELD_BREAK;
	text = format_prefix(broken, strlen(broken), args);
	if (count == 0 || count_breaks(text) != count - 1) {
		append_exactly(out, json, fmt, fields, count, args);
		return;
	}
	at = text;
	for (size_t i = 0; i < count; i++) {
		const char *end = strchrnul(at, FIELD_BREAK);

		append_printed(out, json, &fields[i], at, (size_t)(end - at));
		at = end + (*end != '\0');
	}
}

static void line_with(struct buffer *out, bool json, nsec wall, enum log_level level,
		      const char *event, uint64_t suppressed, const char *fmt, va_list args)
{
	size_t room = out->max;
	char number[24], time[TIMESTAMP_TEXT];

	out->max = room > 0 ? room - 2 : 0; /* the end of the line always fits */
	timestamp_format(time, wall);
	buffer_printf(out, json ? "{\"time\":\"%s\"" : "time=%s", time);
	append_field(out, json, "level", 5, level_names[level], strlen(level_names[level]));
	append_field(out, json, "event", 5, event, strlen(event));
	if (suppressed > 0) {
		int len = snprintf(number, sizeof(number), "%llu", (unsigned long long)suppressed);

		append_field(out, json, "suppressed", 10, number, (size_t)len);
	}
	append_fields(out, json, fmt, args);
	out->max = room;
	buffer_text(out, json ? "}\n" : "\n");
}

void log_line(struct buffer *out, bool json, nsec wall, enum log_level level, const char *event,
	      uint64_t suppressed, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line_with(out, json, wall, level, event, suppressed, fmt, args);
	va_end(args);
}

/* --- the limit, and writing --- */

static struct event_count *find_event(const char *event)
{
	uint32_t hash = 2166136261u;

	for (const char *p = event; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	return &logger.events[hash % MAX_EVENTS];
}

/* Whether another line of the event may go out now; counts it either way. */
static bool may_write(struct event_count *count, const char *event, uint32_t burst, nsec now)
{
	if (burst == 0)
		return true;
	if (!count->event || now - count->since >= logger.settings.interval) {
		count->since = now;
		count->written = 0;
	}
	count->event = event;
	if (count->written < burst) {
		count->written++;
		return true;
	}
	count->suppressed++;
	return false;
}

/* Nobody is left to tell when standard error is gone, so failures other than EINTR end here. */
static void write_line(const struct buffer *line)
{
	while (write(logger.settings.fd, line->data, line->len) < 0 && errno == EINTR)
		;
}

static void log_with(enum log_level level, const char *event, const char *fmt, va_list args)
{
	AUTO_FINISH(buffer_finish) struct buffer line = {.max = MAX_LINE};
	const struct log_settings *settings = &logger.settings;
	struct event_count *count;

	if (level < settings->level)
		return;
	pthread_mutex_lock(&logger.lock);
	count = find_event(event);
	if (may_write(count, event, level < LOG_LEVEL_WARN ? settings->info_burst : settings->burst,
		      clock_now())) {
		line_with(&line, logger.settings.json, clock_wall(), level, event,
			  count->suppressed, fmt, args);
		count->suppressed = 0;
		write_line(&line);
	}
	pthread_mutex_unlock(&logger.lock);
}

void log_flush(void)
{
	pthread_mutex_lock(&logger.lock);
	for (size_t i = 0; i < MAX_EVENTS; i++) {
		AUTO_FINISH(buffer_finish) struct buffer line = {.max = MAX_LINE};
		struct event_count *count = &logger.events[i];

		if (count->suppressed == 0)
			continue;
		log_line(&line, logger.settings.json, clock_wall(), LOG_LEVEL_WARN, count->event,
			 count->suppressed, "at=exit");
		count->suppressed = 0;
		write_line(&line);
	}
	pthread_mutex_unlock(&logger.lock);
}

#define LOG_FUNCTION(name, level)                                \
	void log_##name(const char *event, const char *fmt, ...) \
	{                                                        \
		va_list args;                                    \
                                                                 \
		va_start(args, fmt);                             \
		log_with(level, event, fmt, args);               \
		va_end(args);                                    \
	}

LOG_FUNCTION(debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(info, LOG_LEVEL_INFO)
LOG_FUNCTION(warn, LOG_LEVEL_WARN)
LOG_FUNCTION(error, LOG_LEVEL_ERROR)
