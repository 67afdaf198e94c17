#include "statements.h"

#include <string.h>

#include "embedded.h"
#include "ensure.h"

#define MAX_STATEMENTS 64
#define MAX_NAME 40

struct folder {
	const char *path;
	struct pg_statement statements[MAX_STATEMENTS];
	char names[MAX_STATEMENTS][MAX_NAME];
	size_t count; /* 0: not listed yet */
};

static void name_of(char name[MAX_NAME], const char *folder, const char *path)
{
	const char *begin = path + strlen(folder);
	size_t len = strlen(begin) - strlen(".sql");

	ENSURE(len < MAX_NAME);
	memcpy(name, begin, len);
	name[len] = '\0';
}

static void list(struct folder *folder)
{
	for (const struct embedded *file = embedded_files; file->path; file++) {
		size_t i = folder->count;

		if (strncmp(file->path, folder->path, strlen(folder->path)) != 0)
			continue;
		ENSURE(i < MAX_STATEMENTS);
		name_of(folder->names[i], folder->path, file->path);
		folder->statements[i] = (struct pg_statement){folder->names[i], file->text};
		folder->count++;
	}
}

/* Statements that others have a use for as well. */
static void borrow(struct folder *folder, const char *name, const char *path)
{
	ENSURE(folder->count < MAX_STATEMENTS);
	folder->statements[folder->count++] = (struct pg_statement){name, embedded_text(path)};
}

static const struct pg_statement *all_of(struct folder *folder, size_t *count)
{
	if (folder->count == 0)
		list(folder);
	*count = folder->count;
	return folder->statements;
}

const struct pg_statement *statements_all(size_t *count)
{
	static struct folder folder = {.path = "sql/statements/"};

	return all_of(&folder, count);
}

const struct pg_statement *statements_of_api(size_t *count)
{
	static struct folder folder = {.path = "sql/api/"};

	if (folder.count == 0) {
		list(&folder);
		borrow(&folder, "prices", "sql/statements/prices.sql");
		borrow(&folder, "batch_times", "sql/statements/batch_times.sql");
		borrow(&folder, "rerun", "sql/queries/rerun.sql");
		borrow(&folder, "explain", "sql/queries/jobs_show.sql");
	}
	return all_of(&folder, count);
}

const struct pg_statement *statements_of_router(size_t *count)
{
	static struct folder folder;

	if (folder.count == 0) {
		borrow(&folder, "prices", "sql/statements/prices.sql");
		borrow(&folder, "batch_times", "sql/statements/batch_times.sql");
	}
	*count = folder.count;
	return folder.statements;
}
