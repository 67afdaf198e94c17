#include "pg.h"

#include <endian.h>
#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "pg_args.h"

#define EPOCH_SHIFT ((int64_t)946684800000000)
#define RECONNECT_AFTER (NSEC_PER_SEC / 4)
#define CONNECT_TIMEOUT (10 * NSEC_PER_SEC)

/*
 *	DOWN -> CONNECTING -> PREPARING -> READY -> DOWN
 *	           \             \------------------> DOWN
 *	            \-------------------------------> DOWN
 */
enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_PREPARING, LINK_READY };

struct open_statement {
	void *token;
	bool failed;
	struct error error;
	char sqlstate[6];
	struct pg_rows *rows;
	struct open_statement *next;
};

struct pg {
	char *conninfo;
	nsec statement_timeout;
	nsec lock_timeout;
	bool looks_up;
	char *name;
	const struct pg_statement *statements;
	size_t statement_count;
	PGconn *link;
	enum link_state state;
	PostgresPollingStatusType want; /* while connecting */
	nsec wake_at;
	size_t prepared;
	bool flushing;
	unsigned generation;
	char sqlstate[6];
	char trouble[256];
	struct open_statement *open, **open_tail;
	struct open_statement *answered, **answered_tail;
	size_t open_count;
};

struct pg_rows {
	PGresult *result;
};

/* --- errors --- */

/* What an SQLSTATE class asks of us; see the table in Postgres' manual, appendix A. */
static enum error_kind kind_of(const char *sqlstate)
{
	static const char *const retry[] = {"08", "40", "53", "55", "57", "58"};
	static const char *const reject[] = {"21", "22", "23"};

	for (size_t i = 0; i < COUNT_OF(retry); i++)
		if (strncmp(sqlstate, retry[i], 2) == 0)
			return ERROR_RETRY;
	for (size_t i = 0; i < COUNT_OF(reject); i++)
		if (strncmp(sqlstate, reject[i], 2) == 0)
			return ERROR_REJECT;
	return sqlstate[0] ? ERROR_FATAL : ERROR_RETRY;
}

static void one_line(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
}

/* A row of a day that has no partition yet is a good row: it fits when the partition is made. */
static bool lacks_partition(const PGresult *result, const char *sqlstate)
{
	return strcmp(sqlstate, "23514") == 0 &&
	       !PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

/* The primary message only: the detail line may hold values of a job. */
static void read_failure(const PGresult *result, const PGconn *link, struct error *err,
			 char sqlstate[6])
{
	const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	snprintf(sqlstate, 6, "%s", code ? code : "");
	if (!text || !*text)
		text = PQerrorMessage(link);
	error_set(err, lacks_partition(result, sqlstate) ? ERROR_RETRY : kind_of(sqlstate),
		  "postgres: %s%s%s%s", text && *text ? text : "connection lost", code ? " (" : "",
		  code ? code : "", code ? ")" : "");
	one_line(err->text);
}

/* --- rows --- */

static struct pg_rows *rows_create(PGresult *result)
{
	struct pg_rows *rows = xcalloc(1, sizeof(*rows));

	rows->result = result;
	return rows;
}

void pg_rows_destroy(struct pg_rows *rows)
{
	if (!rows)
		return;
	PQclear(rows->result);
	free(rows);
}

int pg_count(const struct pg_rows *rows)
{
	return PQntuples(rows->result);
}

int pg_columns(const struct pg_rows *rows)
{
	return PQnfields(rows->result);
}

const char *pg_column_name(const struct pg_rows *rows, int column)
{
	return PQfname(rows->result, column);
}

int64_t pg_affected(const struct pg_rows *rows)
{
	return strtoll(PQcmdTuples(rows->result), NULL, 10);
}

bool pg_is_null(const struct pg_rows *rows, int row, int column)
{
	ENSURE(row < PQntuples(rows->result) && column < PQnfields(rows->result));
	return PQgetisnull(rows->result, row, column);
}

static uint64_t big_endian(const struct pg_rows *rows, int row, int column)
{
	const unsigned char *bytes = (const unsigned char *)PQgetvalue(rows->result, row, column);
	int len = PQgetlength(rows->result, row, column);
	uint64_t number = 0;

	for (int i = 0; i < len; i++)
		number = number << 8 | bytes[i];
	return number;
}

bool pg_get_bool(const struct pg_rows *rows, int row, int column)
{
	return !pg_is_null(rows, row, column) && big_endian(rows, row, column) != 0;
}

int64_t pg_get_int(const struct pg_rows *rows, int row, int column)
{
	uint64_t number;

	if (pg_is_null(rows, row, column))
		return 0;
	number = big_endian(rows, row, column);
	switch (PQgetlength(rows->result, row, column)) {
	case 2:
		return (int16_t)number;
	case 4:
		return (int32_t)number;
	default:
		ENSURE(PQgetlength(rows->result, row, column) == 8);
		return (int64_t)number;
	}
}

double pg_get_double(const struct pg_rows *rows, int row, int column)
{
	uint64_t bits;
	double wide;
	float narrow;
	uint32_t narrow_bits;

	if (pg_is_null(rows, row, column))
		return NAN;
	bits = big_endian(rows, row, column);
	if (PQgetlength(rows->result, row, column) == 4) {
		narrow_bits = (uint32_t)bits;
		memcpy(&narrow, &narrow_bits, sizeof(narrow));
		return (double)narrow;
	}
	ENSURE(PQgetlength(rows->result, row, column) == 8);
	memcpy(&wide, &bits, sizeof(wide));
	return wide;
}

const char *pg_get_text(const struct pg_rows *rows, int row, int column)
{
	return pg_is_null(rows, row, column) ? "" : PQgetvalue(rows->result, row, column);
}

const char *pg_get_bytes(const struct pg_rows *rows, int row, int column, size_t *len)
{
	*len = pg_is_null(rows, row, column) ? 0 : (size_t)PQgetlength(rows->result, row, column);
	return PQgetvalue(rows->result, row, column);
}

struct uuid pg_get_uuid(const struct pg_rows *rows, int row, int column)
{
	struct uuid id = {{0}};

	if (!pg_is_null(rows, row, column)) {
		ENSURE(PQgetlength(rows->result, row, column) == 16);
		memcpy(id.bytes, PQgetvalue(rows->result, row, column), 16);
	}
	return id;
}

nsec pg_get_time(const struct pg_rows *rows, int row, int column)
{
	int64_t since_2000;

	if (pg_is_null(rows, row, column))
		return 0;
	since_2000 = (int64_t)big_endian(rows, row, column);
	return (nsec)(since_2000 + EPOCH_SHIFT) * NSEC_PER_USEC;
}

/* --- the link --- */

static struct pg *pg_new(const struct pg_options *options)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));

	pg->conninfo = xstrdup(options->url);
	pg->name = xstrdup(options->name ? options->name : "sluice");
	pg->statement_timeout = options->statement_timeout ? options->statement_timeout
							   : 30 * NSEC_PER_SEC;
	pg->lock_timeout = options->lock_timeout ? options->lock_timeout : 10 * NSEC_PER_SEC;
	pg->looks_up = options->looks_up;
	pg->open_tail = &pg->open;
	pg->answered_tail = &pg->answered;
	return pg;
}

static PGconn *start_link(const struct pg *pg)
{
	char session[384];
	const char *const names[] = {"dbname",
				     "fallback_application_name",
				     "options",
				     "keepalives_idle",
				     "keepalives_interval",
				     "keepalives_count",
				     "tcp_user_timeout",
				     "connect_timeout",
				     "client_encoding",
				     NULL};
	const char *const values[] = {pg->conninfo, pg->name, session, "10",   "5",
				      "3",	    "20000",  "10",    "UTF8", NULL};

	snprintf(session, sizeof(session),
		 "-c search_path=sluice -c statement_timeout=%llu -c lock_timeout=%llu "
		 "-c idle_in_transaction_session_timeout=20000 -c timezone=UTC%s",
		 (unsigned long long)(pg->statement_timeout / NSEC_PER_MSEC),
		 (unsigned long long)(pg->lock_timeout / NSEC_PER_MSEC),
		 /* To plan a look-up in partitions takes longer than to do it; and a plan made
		    while a table is empty must not read all of it later. */
		 pg->looks_up ? " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
				"-c enable_hashjoin=off -c enable_mergejoin=off"
			      : "");
	return PQconnectStartParams(names, values, 1);
}

/* Waits for the socket, at most `timeout`; only the ask-and-wait half may. */
static bool wait_for(int fd, bool to_write, nsec timeout)
{
	struct pollfd ready = {.fd = fd, .events = to_write ? POLLOUT : POLLIN};

	return poll(&ready, 1, (int)(timeout / NSEC_PER_MSEC)) > 0;
}

struct pg *pg_connect(const struct pg_options *options, struct error *err)
{
	AUTO(pg_destroy) struct pg *pg = pg_new(options);
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;

	pg->link = start_link(pg);
	ENSURE(pg->link);
	while (PQstatus(pg->link) != CONNECTION_BAD && want != PGRES_POLLING_OK &&
	       want != PGRES_POLLING_FAILED) {
		if (!wait_for(PQsocket(pg->link), want == PGRES_POLLING_WRITING, CONNECT_TIMEOUT)) {
			error_set(err, ERROR_RETRY,
				  "postgres: no answer to the connection within 10 s");
			return NULL;
		}
		want = PQconnectPoll(pg->link);
	}
	if (PQstatus(pg->link) != CONNECTION_OK) {
		read_failure(NULL, pg->link, err, pg->sqlstate);
		return NULL;
	}
	pg->state = LINK_READY;
	return TAKE(pg);
}

void pg_destroy(struct pg *pg)
{
	struct pg_answer answer;

	if (!pg)
		return;
	if (pg->link)
		PQfinish(pg->link);
	for (struct open_statement *open = pg->open, *next; open; open = next) {
		next = open->next;
		pg_rows_destroy(open->rows);
		free(open);
	}
	while (pg_next(pg, &answer))
		pg_rows_destroy(answer.rows);
	free(pg->conninfo);
	free(pg->name);
	free(pg);
}

const char *pg_sqlstate(const struct pg *pg)
{
	return pg->sqlstate;
}

/* --- ask and wait --- */

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       status == PGRES_EMPTY_QUERY;
}

static struct pg_rows *judge_result(struct pg *pg, PGresult *result, struct error *err)
{
	pg->sqlstate[0] = '\0';
	if (is_good(result))
		return rows_create(result);
	read_failure(result, pg->link, err, pg->sqlstate);
	PQclear(result);
	return NULL;
}

struct pg_rows *pg_ask(struct pg *pg, const char *sql, struct pg_args *args, struct error *err)
{
	AUTO(pg_args_destroy) struct pg_args *taken = args ? args : pg_args_create();

	pg_args_seal(taken);
	return judge_result(pg,
			    PQexecParams(pg->link, sql, taken->count, taken->types, taken->data,
					 taken->lengths, taken->formats, 1),
			    err);
}

bool pg_run(struct pg *pg, const char *sql, struct error *err)
{
	AUTO(pg_rows_destroy) struct pg_rows *rows = judge_result(pg, PQexec(pg->link, sql), err);

	return rows != NULL;
}

int pg_library_version(void)
{
	return PQlibVersion();
}

/* --- send and collect --- */

struct pg *pg_create(const struct pg_options *options, const struct pg_statement *statements,
		     size_t statement_count)
{
	struct pg *pg = pg_new(options);

	pg->statements = statements;
	pg->statement_count = statement_count;
	return pg;
}

int pg_fd(const struct pg *pg)
{
	return pg->link ? PQsocket(pg->link) : -1;
}

bool pg_wants_write(const struct pg *pg)
{
	if (pg->state == LINK_CONNECTING)
		return pg->want == PGRES_POLLING_WRITING;
	return pg->flushing;
}

bool pg_ready(const struct pg *pg)
{
	return pg->state == LINK_READY;
}

nsec pg_wake_at(const struct pg *pg)
{
	return pg->state == LINK_READY ? 0 : pg->wake_at;
}

unsigned pg_generation(const struct pg *pg)
{
	return pg->generation;
}

const char *pg_trouble(const struct pg *pg)
{
	return pg->state == LINK_READY ? "" : pg->trouble;
}

size_t pg_open(const struct pg *pg)
{
	return pg->open_count;
}

static void answer_first(struct pg *pg)
{
	struct open_statement *first = pg->open;

	pg->open = first->next;
	if (!pg->open)
		pg->open_tail = &pg->open;
	pg->open_count--;
	first->next = NULL;
	*pg->answered_tail = first;
	pg->answered_tail = &first->next;
}

/*
 * What has no answer yet will get none from this connection. Rows are none: they may come before
 * the COMMIT that makes them true, whose sign is the sync.
 */
static void fail_first(struct pg *pg)
{
	struct open_statement *open = pg->open;

	if (!open->failed) {
		open->failed = true;
		error_set(&open->error, ERROR_RETRY, "postgres: connection lost: %s", pg->trouble);
	}
	answer_first(pg);
}

/* The connection is gone, and with it the fate of what was open. */
static void drop_link(struct pg *pg, const char *why, nsec now)
{
	snprintf(pg->trouble, sizeof(pg->trouble), "%s", why);
	one_line(pg->trouble);
	while (pg->open)
		fail_first(pg);
	PQfinish(pg->link);
	pg->link = NULL;
	pg->state = LINK_DOWN;
	pg->flushing = false;
	pg->wake_at = now + RECONNECT_AFTER;
}

static void flush(struct pg *pg, nsec now)
{
	int left = PQflush(pg->link);

	pg->flushing = left > 0;
	if (left < 0)
		drop_link(pg, PQerrorMessage(pg->link), now);
}

/* All statements are prepared in one flight; their results are counted in take_prepared(). */
static void start_preparing(struct pg *pg, nsec now)
{
	bool sent = PQsetnonblocking(pg->link, 1) == 0 && PQenterPipelineMode(pg->link);

	for (size_t i = 0; sent && i < pg->statement_count; i++)
		sent = PQsendPrepare(pg->link, pg->statements[i].name, pg->statements[i].sql, 0,
				     NULL);
	if (!sent || !PQpipelineSync(pg->link)) {
		drop_link(pg, PQerrorMessage(pg->link), now);
		return;
	}
	pg->state = LINK_PREPARING;
	pg->prepared = 0;
	flush(pg, now);
}

static void connect_more(struct pg *pg, nsec now)
{
	pg->want = PQconnectPoll(pg->link);
	if (pg->want == PGRES_POLLING_FAILED || now >= pg->wake_at)
		drop_link(pg, PQerrorMessage(pg->link), now);
	else if (pg->want == PGRES_POLLING_OK)
		start_preparing(pg, now);
}

static void take_prepared(struct pg *pg, PGresult *result, nsec now)
{
	if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
		pg->state = LINK_READY;
		pg->generation++;
	} else if (!is_good(result)) {
		drop_link(pg, PQresultErrorMessage(result), now);
	}
	PQclear(result);
}

/* A statement's rows or failure come first, its sync ends it. */
static void take_answer(struct pg *pg, PGresult *result)
{
	struct open_statement *open = pg->open;

	ENSURE(open);
	if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
		answer_first(pg);
		PQclear(result);
	} else if (is_good(result)) {
		open->rows = rows_create(result);
	} else {
		if (!open->failed)
			read_failure(result, pg->link, &open->error, open->sqlstate);
		open->failed = true;
		PQclear(result);
	}
}

static void read_results(struct pg *pg, nsec now)
{
	int silences = 0;

	/* In pipeline mode a NULL only separates results: two in a row mean there is no more. */
	while (pg->link && !PQisBusy(pg->link) && silences < 2) {
		PGresult *result = PQgetResult(pg->link);

		silences = result ? 0 : silences + 1;
		if (!result)
			continue;
		if (pg->state == LINK_PREPARING)
			take_prepared(pg, result, now);
		else
			take_answer(pg, result);
	}
}

void pg_pump(struct pg *pg, nsec now)
{
	if (pg->state == LINK_DOWN) {
		if (now < pg->wake_at)
			return;
		pg->link = start_link(pg);
		ENSURE(pg->link);
		pg->state = LINK_CONNECTING;
		pg->want = PGRES_POLLING_WRITING;
		pg->wake_at = now + CONNECT_TIMEOUT;
		if (PQstatus(pg->link) == CONNECTION_BAD)
			drop_link(pg, PQerrorMessage(pg->link), now);
		return;
	}
	if (pg->state == LINK_CONNECTING) {
		connect_more(pg, now);
		return;
	}
	if (!PQconsumeInput(pg->link)) {
		drop_link(pg, PQerrorMessage(pg->link), now);
		return;
	}
	read_results(pg, now);
	if (pg->link && pg->flushing)
		flush(pg, now);
}

void pg_send(struct pg *pg, const char *name, struct pg_args *args, void *token)
{
	AUTO(pg_args_destroy) struct pg_args *taken = args ? args : pg_args_create();
	struct open_statement *open = xcalloc(1, sizeof(*open));

	open->token = token;
	*pg->open_tail = open;
	pg->open_tail = &open->next;
	pg->open_count++;
	if (pg->state != LINK_READY) {
		fail_first(pg);
		return;
	}
	pg_args_seal(taken);
	if (!PQsendQueryPrepared(pg->link, name, taken->count, taken->data, taken->lengths,
				 taken->formats, 1) ||
	    !PQpipelineSync(pg->link))
		drop_link(pg, PQerrorMessage(pg->link), clock_now());
	else
		flush(pg, clock_now());
}

bool pg_next(struct pg *pg, struct pg_answer *answer)
{
	struct open_statement *first = pg->answered;

	if (!first)
		return false;
	pg->answered = first->next;
	if (!pg->answered)
		pg->answered_tail = &pg->answered;
	*answer = (struct pg_answer){.token = first->token, .error = first->error};
	memcpy(answer->sqlstate, first->sqlstate, sizeof(answer->sqlstate));
	answer->rows = first->failed ? NULL : first->rows;
	if (first->failed)
		pg_rows_destroy(first->rows);
	free(first);
	return true;
}

void pg_abandon(struct pg *pg)
{
	if (pg->link)
		drop_link(pg, "given up", clock_now());
}
