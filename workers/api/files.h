/*
 * Files in pieces: what those who make them and those who show them share. A
 * file is there once its row is; all its pieces came before, numbered from 0.
 */
#ifndef API_FILES_H
#define API_FILES_H

#include "exchange.h"
#include "json_writer.h"
#include "pg.h"

#define FILE_PREFIX "file-"
#define FILE_PIECE ((size_t)256 << 10)
#define FILE_KEPT (30 * 24 * 3600) /* seconds, where nobody says otherwise */
#define FILE_KEPT_LEAST 3600

/* Columns of file.sql and its kin. */
enum { FILE_ID, FILE_BYTES, FILE_CREATED, FILE_EXPIRES, FILE_NAME, FILE_PURPOSE };

void files_write(struct json_writer *w, const struct pg_rows *rows, int row);
void files_reply(struct exchange *x, const struct pg_rows *rows);

#endif
