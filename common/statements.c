#include "statements.h"

#include <stdbool.h>
#include <string.h>

#include "embedded.h"
#include "ensure.h"

#define FOLDER "sql/statements/"
#define MAX_STATEMENTS 64
#define MAX_NAME 40

static void name_of(char name[MAX_NAME], const char *path)
{
	const char *begin = path + strlen(FOLDER);
	size_t len = strlen(begin) - strlen(".sql");

	ENSURE(len < MAX_NAME);
	memcpy(name, begin, len);
	name[len] = '\0';
}

const struct pg_statement *statements_all(size_t *count)
{
	static struct pg_statement statements[MAX_STATEMENTS];
	static char names[MAX_STATEMENTS][MAX_NAME];
	static size_t found;
	static bool listed;

	for (const struct embedded *file = embedded_files; !listed && file->path; file++) {
		if (strncmp(file->path, FOLDER, strlen(FOLDER)) != 0)
			continue;
		ENSURE(found < MAX_STATEMENTS);
		name_of(names[found], file->path);
		statements[found] = (struct pg_statement){names[found], file->text};
		found++;
	}
	listed = true;
	*count = found;
	return statements;
}
