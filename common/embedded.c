#include "embedded.h"

#include <string.h>

#include "ensure.h"

const struct embedded *embedded_find(const char *path)
{
	for (const struct embedded *file = embedded_files; file->path; file++)
		if (strcmp(file->path, path) == 0)
			return file;
	return NULL;
}

const char *embedded_text(const char *path)
{
	const struct embedded *file = embedded_find(path);

	ENSURE(file);
	return file->text;
}
