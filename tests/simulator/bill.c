#include "bill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "ensure.h"
#include "text.h"

struct bill {
	int fd;
	bool sync;
	struct buffer pending;
	size_t written; /* bytes since the start */
	size_t secured;
	int64_t total;
	size_t count;
};

struct bill *bill_open(const char *path, bool sync, struct error *err)
{
	AUTO(bill_close) struct bill *bill = xcalloc(1, sizeof(*bill));

	bill->fd = -1;
	bill->sync = sync;
	if (path) {
		bill->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (bill->fd < 0) {
			error_set(err, ERROR_FATAL, "can't open the bill %s: %s", path,
				  strerror(errno));
			return NULL;
		}
	}
	return TAKE(bill);
}

void bill_close(struct bill *bill)
{
	if (!bill)
		return;
	if (bill->fd >= 0) {
		bill_secure(bill, SIZE_MAX);
		close(bill->fd);
	}
	buffer_finish(&bill->pending);
	free(bill);
}

static void member(struct buffer *out, const char *name, const char *value)
{
	buffer_text(out, name);
	text_quote(out, value);
}

static void write_tokens(struct buffer *out, const struct tokens *tokens)
{
	static const char *const names[TOKEN_CLASSES] = {
		",\"input\":",		",\"cache_read\":", ",\"cache_write\":",
		",\"cache_write_1h\":", ",\"output\":",
	};

	for (int class = 0; class < TOKEN_CLASSES; class ++) {
		buffer_text(out, names[class]);
		text_integer(out, tokens->of[class]);
	}
}

size_t bill_accept(struct bill *bill, const struct charge *charge)
{
	struct buffer *out = &bill->pending;

	bill->total += charge->amount;
	bill->count++;
	if (bill->fd < 0)
		return 0;
	member(out, "{\"id\":", charge->id);
	member(out, ",\"request\":", charge->request);
	member(out, ",\"provider\":", maker_name(charge->model->maker));
	member(out, ",\"model\":", charge->model->snapshot);
	member(out, ",\"mode\":", bill_mode_name(charge->mode));
	member(out, ",\"key\":", charge->key);
	if (charge->batch)
		member(out, ",\"batch\":", charge->batch);
	write_tokens(out, charge->tokens);
	buffer_text(out, ",\"amount\":\"");
	text_integer(out, charge->amount);
	buffer_text(out, "\",\"at\":");
	text_integer(out, (int64_t)(charge->wall / NSEC_PER_MSEC));
	buffer_text(out, "}\n");
	return bill->written + out->len;
}

void bill_delivered(struct bill *bill, const char *id, const char *request, bool delivered,
		    const char *fault)
{
	struct buffer *out = &bill->pending;

	if (bill->fd < 0)
		return;
	member(out, "{\"id\":", id);
	member(out, ",\"request\":", request);
	buffer_text(out, delivered ? ",\"delivered\":true" : ",\"delivered\":false");
	if (fault)
		member(out, ",\"fault\":", fault);
	buffer_text(out, "}\n");
}

void bill_flush(struct bill *bill)
{
	const char *at = bill->pending.data;
	size_t left = bill->fd < 0 ? 0 : bill->pending.len;

	while (left > 0) {
		ssize_t n = write(bill->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		ENSURE(n > 0); /* a bill that can't be written proves nothing */
		at += n;
		left -= (size_t)n;
	}
	bill->written += bill->pending.len;
	buffer_clear(&bill->pending);
}

void bill_secure(struct bill *bill, size_t mark)
{
	if (bill->fd < 0 || mark <= bill->secured)
		return;
	bill_flush(bill);
	if (bill->sync)
		ENSURE(fdatasync(bill->fd) == 0);
	bill->secured = bill->written;
}

int64_t bill_total(const struct bill *bill)
{
	return bill->total;
}

size_t bill_count(const struct bill *bill)
{
	return bill->count;
}
