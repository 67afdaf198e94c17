/*
 * Finished calls that Postgres can't take now wait in memory and, so that not
 * even a crash loses what was paid for, in files of the spool folder. A file is
 * the arguments of one settle statement. What is still in memory when Postgres
 * is back is settled from there and its files removed; what a dead worker left
 * is replayed through the same statement, whose fences make twice harmless.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ensure.h"
#include "failpoint.h"
#include "log.h"
#include "metrics.h"
#include "worker.h"

#define SPOOL_MAX_FILE ((size_t)256 * 1024 * 1024)
#define SPOOL_AFTER NSEC_PER_SEC
#define SPOOL_GROUP 256
#define LOOK_EVERY (60 * NSEC_PER_SEC)
#define SUFFIX ".settle"

/* Written aside and renamed when it is on the disk, so that a file is whole or not there. */
static bool write_whole(const char *path, const struct buffer *bytes, struct error *err)
{
	AUTO(xfree) char *aside = xasprintf("%s.part", path);
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t at = 0;
	bool good = fd >= 0;

	while (good && at < bytes->len) {
		ssize_t written = write(fd, bytes->data + at, bytes->len - at);

		good = written > 0;
		at += good ? (size_t)written : 0;
	}
	good = good && fdatasync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (good && rename(aside, path) == 0)
		return true;
	error_set(err, ERROR_RETRY, "spool %s: %s", path, strerror(errno));
	unlink(aside);
	return false;
}

static bool write_group(struct worker *w, struct settlement *const *settlements, size_t count,
			struct error *err)
{
	AUTO(pg_args_destroy) struct pg_args *args = store_settle_args(settlements, count);
	AUTO_FINISH(buffer_finish) struct buffer bytes = {.max = SPOOL_MAX_FILE};
	const char *folder = w->config->worker.spool_dir;
	struct uuid id = uuid_make();
	char name[UUID_TEXT];
	AUTO(xfree) char *path = xasprintf("%s/%s" SUFFIX, folder, uuid_format(name, &id));

	if (!pg_args_save(args, &bytes))
		return error_set(err, ERROR_RETRY, "spool: the settlements are over %zu bytes",
				 SPOOL_MAX_FILE);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set(err, ERROR_RETRY, "worker.spool_dir %s: %s", folder,
				 strerror(errno));
	if (!write_whole(path, &bytes, err))
		return false;
	FAILPOINT("K10");
	w->spooled = xrealloc(w->spooled, (w->spooled_count + 1) * sizeof(*w->spooled));
	w->spooled[w->spooled_count++] = TAKE(path);
	metrics_set(METRIC_spool_bytes, (double)w->spooled_count, NO_LABELS);
	log_warn("spooled", "calls=%zu bytes=%zu", count, bytes.len);
	return true;
}

/* Only what ends a call is worth a file; the rest is found again in the rows as they are. */
static bool spool_list(struct worker *w, struct settlement **list, size_t count, struct error *err)
{
	struct settlement *group[SPOOL_GROUP];
	size_t filled = 0;
	bool good = true;

	for (size_t i = 0; good && i <= count; i++) {
		if (filled == SPOOL_GROUP || (i == count && filled > 0)) {
			good = write_group(w, group, filled, err);
			for (size_t k = 0; good && k < filled; k++)
				group[k]->spooled = true;
			filled = 0;
		}
		if (i < count && list[i] && list[i]->closes && !list[i]->spooled)
			group[filled++] = list[i];
	}
	return good;
}

bool spool_all(struct worker *w, struct error *err)
{
	if (!spool_list(w, w->unsettled, w->unsettled_count, err))
		return false;
	for (struct request *request = w->again; request; request = request->next)
		if (request->kind == REQUEST_SETTLE &&
		    !spool_list(w, request->settlements, request->count, err))
			return false;
	return true;
}

/* Everything that was in our files has been settled from memory. */
static void remove_spooled(struct worker *w)
{
	for (size_t i = 0; i < w->spooled_count; i++) {
		unlink(w->spooled[i]);
		free(w->spooled[i]);
	}
	w->spooled_count = 0;
	metrics_set(METRIC_spool_bytes, 0, NO_LABELS);
}

static bool is_ours(const struct worker *w, const char *path)
{
	for (size_t i = 0; i < w->spooled_count; i++)
		if (strcmp(w->spooled[i], path) == 0)
			return true;
	return false;
}

static bool read_file(const char *path, struct buffer *bytes)
{
	char piece[65536];
	FILE *file = fopen(path, "rbe");
	size_t got;
	bool fits = file != NULL;

	while (fits && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		fits = buffer_append(bytes, piece, got);
	if (file)
		fclose(file);
	return fits;
}

static void replay(struct worker *w, const char *path)
{
	AUTO_FINISH(buffer_finish) struct buffer bytes = {.max = SPOOL_MAX_FILE};
	struct pg_args *args = read_file(path, &bytes)
				       ? pg_args_load(bytes.data ? bytes.data : "", bytes.len)
				       : NULL;
	struct request *request;

	if (!args) {
		AUTO(xfree) char *aside = xasprintf("%s.unreadable", path);

		log_error("spool_unreadable", "file=%s kept_as=%s", path, aside);
		if (rename(path, aside) < 0)
			log_error("spool_rename", "file=%s why=%s", path, strerror(errno));
		return;
	}
	store_settle_complete(args);
	request = request_create(REQUEST_REPLAY, PG_SETTLE);
	request->path = xstrdup(path);
	w->replaying = true;
	worker_send(w, request, "settle", args);
}

/* The first file that is not ours: what a dead worker left. One at a time. */
static void look(struct worker *w)
{
	DIR *folder = opendir(w->config->worker.spool_dir);
	struct dirent *entry;

	while (folder && !w->replaying && (entry = readdir(folder))) {
		size_t len = strlen(entry->d_name);
		AUTO(xfree)
		char *path = xasprintf("%s/%s", w->config->worker.spool_dir, entry->d_name);

		if (len > strlen(SUFFIX) &&
		    strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0 && !is_ours(w, path))
			replay(w, path);
	}
	if (folder)
		closedir(folder);
}

void spool_answer(struct worker *w, struct request *request, struct pg_answer *answer)
{
	w->replaying = false;
	if (answer->rows) {
		log_warn("spool_replayed", "file=%s jobs=%d", request->path,
			 pg_count(answer->rows));
		unlink(request->path);
		w->spool_at = 0; /* there may be more */
	} else {
		log_error("spool_replay_failed", "file=%s why=%s", request->path,
			  answer->error.text);
	}
	request_destroy(request);
}

static bool nothing_unsettled(const struct worker *w)
{
	return w->unsettled_count == 0 && w->settles_open == 0;
}

void spool_run(struct worker *w, nsec now)
{
	struct error err;

	if (pg_ready(w->pgs[PG_SETTLE])) {
		w->settle_down_at = 0;
		if (w->spooled_count > 0 && nothing_unsettled(w))
			remove_spooled(w);
		if (!w->replaying && now >= w->spool_at) {
			w->spool_at = now + LOOK_EVERY;
			look(w);
		}
		return;
	}
	if (w->settle_down_at == 0)
		w->settle_down_at = now;
	if (now - w->settle_down_at < SPOOL_AFTER || now < w->spool_retry_at)
		return;
	if (!spool_all(w, &err)) { /* a full disk: memory has it all the same */
		log_error("spool_failed", "why=%s", err.text);
		w->spool_retry_at = now + SPOOL_AFTER;
	}
}
