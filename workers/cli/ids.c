#include "ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ensure.h"
#include "json.h"
#include "session.h"

void ids_add(struct ids *ids, const struct uuid *id)
{
	if (ids->count == ids->capacity) {
		ids->capacity = ids->capacity ? ids->capacity * 2 : 256;
		ids->ids = xrealloc(ids->ids, ids->capacity * sizeof(*ids->ids));
	}
	ids->ids[ids->count++] = *id;
}

void ids_finish(struct ids *ids)
{
	free(ids->ids);
	*ids = (struct ids){0};
}

static bool add_line(struct ids *ids, char *line, struct error *err)
{
	struct uuid id;

	line += strspn(line, " \t");
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line)
		return true;
	if (*line == '{') {
		json_auto_t *object = json_read(line, strlen(line), JSON_FOREIGN, err);

		if (!object ||
		    !session_read_id(json_text(object, "job_id", json_text(object, "job", "")), &id,
				     err))
			return false;
	} else if (!session_read_id(line, &id, err)) {
		return false;
	}
	if (ids->count == IDS_MAX)
		return error_set(err, ERROR_REJECT, "more than %d ids", IDS_MAX);
	ids_add(ids, &id);
	return true;
}

static bool read_file(struct ids *ids, FILE *file, struct error *err)
{
	AUTO(xfree) char *line = NULL;
	size_t capacity = 0, number = 0;

	while (getline(&line, &capacity, file) > 0) {
		number++;
		if (!add_line(ids, line, err))
			return error_wrap(err, "line %zu", number);
	}
	return !ferror(file) || error_set(err, ERROR_RETRY, "%s", strerror(errno));
}

static bool read_named(struct ids *ids, const char *name, struct error *err)
{
	FILE *file = fopen(name, "re");
	bool read;

	if (!file)
		return error_set(err, ERROR_REJECT, "%s: %s", name, strerror(errno));
	read = read_file(ids, file, err);
	fclose(file);
	return read || error_wrap(err, "%s", name);
}

bool ids_read(struct ids *ids, const struct arguments *arguments, const char *file,
	      struct error *err)
{
	for (size_t i = 0; i < arguments->word_count; i++) {
		struct uuid id;

		if (!session_read_id(arguments->words[i], &id, err))
			return false;
		ids_add(ids, &id);
	}
	if (file && strcmp(file, "-") != 0)
		return read_named(ids, file, err);
	if (arguments->word_count > 0)
		return true;
	if (isatty(STDIN_FILENO) && !file)
		return error_set(err, ERROR_REJECT,
				 "which jobs? name their ids, or give them on standard input");
	return read_file(ids, stdin, err) || error_wrap(err, "standard input");
}
