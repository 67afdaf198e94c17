/*
 * What the paths of OpenAI's shape have in common: how ids are spelled, what a
 * key may see there, numbers of the query.
 *
 *	struct uuid id;
 *	if (!openai_read_id(x->words[0], "file-", &id)) ...
 *	openai_push_scope(args, x);             -- $1 units, $2 key
 */
#ifndef API_OPENAI_H
#define API_OPENAI_H

#include "exchange.h"
#include "json_writer.h"
#include "pg.h"

#define OPENAI_ID 48

/* "file-" + 32 hex digits. Returns text. */
const char *openai_id(char text[OPENAI_ID], const char *prefix, const struct uuid *id);
bool openai_read_id(const char *text, const char *prefix, struct uuid *id);

/* The arguments $1 units, $2 key, $3 id of a statement about the thing in the path, whose id the
 * exchange keeps as its job's; NULL: that is no such id. */
struct pg_args *openai_args_of_one(struct exchange *x, const char *prefix);

/* What the key may see: its units (NULL: all), and what it brought itself. */
void openai_push_scope(struct pg_args *args, const struct exchange *x);

/* The unit of what this request brings: the key's own; of a key with several the one that
 * OpenAI-Project names, "" if it names none. Borrowed for now: keys are read anew. False: replied
 * that it may not. */
bool openai_unit(struct exchange *x, const char **unit);

/* A number of the query within bounds, or as it was; false: replied that it is none. */
bool openai_query_number(struct exchange *x, const char *name, long least, long most, long *value);

/* The id behind which a list goes on; false: replied. *given: there is one. */
bool openai_query_after(struct exchange *x, const char *prefix, struct uuid *after, bool *given);

void openai_put_id(struct json_writer *w, const char *name, const char *prefix,
		   const struct uuid *id);
void openai_put_time(struct json_writer *w, const char *name, nsec wall); /* 0: null */

/* The end of a list: first_id, last_id, has_more. */
void openai_put_list_end(struct json_writer *w, const char *prefix, const struct pg_rows *rows,
			 int shown);

#endif
