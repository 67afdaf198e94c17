/*
 * Gives each file of the folders named to a fuzz target, as libFuzzer would: the
 * corpora are tests of every build, with any compiler.
 *
 *	fuzz_x_corpus tests/fuzz/corpus/x
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"
#include "fuzz.h"

static void replay(const char *path)
{
	AUTO_FINISH(buffer_finish) struct buffer bytes = {0};
	FILE *file = fopen(path, "rbe");
	char piece[4096];
	size_t got;

	ENSURE(file);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_append(&bytes, piece, got);
	fclose(file);
	LLVMFuzzerTestOneInput((const uint8_t *)(bytes.data ? bytes.data : ""), bytes.len);
}

static size_t replay_all(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	if (!dir) {
		fprintf(stderr, "%s: no such folder\n", folder);
		exit(1);
	}
	while ((entry = readdir(dir))) {
		AUTO(xfree) char *path = xasprintf("%s/%s", folder, entry->d_name);

		if (*entry->d_name == '.')
			continue;
		replay(path);
		count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_all(argv[i]);
	printf("%zu inputs\n", count);
	return count > 0 ? 0 : 1;
}
