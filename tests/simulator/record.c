#include "record.h"

#include <string.h>
#include <strings.h>

#include "json.h"

static bool is_secret(const char *name)
{
	return strcasecmp(name, "authorization") == 0 || strcasecmp(name, "x-api-key") == 0;
}

/* Bytes that are no UTF-8 become U+FFFD: a line must be JSON whatever came. */
static void write_string(FILE *file, const char *bytes, size_t len)
{
	json_auto_t *string = json_lenient_string(bytes, len);

	json_dumpf(string, file, JSON_ENCODE_ANY | JSON_COMPACT);
}

void record_request(FILE *file, const struct request *request)
{
	const char *comma = "";

	fprintf(file, "{\"method\":\"%s\",\"url\":", request->method);
	write_string(file, request->path, strlen(request->path));
	fputs(",\"query\":", file);
	write_string(file, request->query, strlen(request->query));
	fputs(",\"headers\":{", file);
	for (size_t i = 0; i < request->header_count; i++) {
		const struct request_header *header = &request->headers[i];

		if (is_secret(header->name))
			continue;
		fputs(comma, file);
		write_string(file, header->name, strlen(header->name));
		fputc(':', file);
		write_string(file, header->value, strlen(header->value));
		comma = ",";
	}
	fputs("},\"body\":", file);
	write_string(file, request->body, request->body_len);
	fputs("}\n", file);
}
