-- The batch lane: a provider's batch is a row, advanced by whoever holds its lease. The lease is the fence
-- of every step; the jobs in it are BATCHED and belong to nobody else until their line is settled.

CREATE TYPE batch_state AS ENUM ('building', 'intended', 'uploaded', 'created', 'running', 'ended', 'imported', 'held', 'failed');

CREATE TABLE batches (
	batch_id           uuid PRIMARY KEY,
	state              batch_state NOT NULL DEFAULT 'building',
	fence              integer NOT NULL DEFAULT 1,
	owner              uuid,
	lease_until        timestamptz,
	look_at            timestamptz NOT NULL DEFAULT now(),
	cancel_requested   boolean NOT NULL DEFAULT false,
	provider           text NOT NULL,
	dialect            text NOT NULL,
	model              text NOT NULL,
	endpoint           text NOT NULL,
	credential         text NOT NULL,
	opened_at          timestamptz NOT NULL DEFAULT now(),
	intended_at        timestamptz,
	uploaded_at        timestamptz,
	create_intended_at timestamptz,
	created_at         timestamptz,
	ended_at           timestamptz,
	closed_at          timestamptz,
	expires_at         timestamptz,
	lines              integer NOT NULL DEFAULT 0,
	bytes              bigint NOT NULL DEFAULT 0,
	tokens             bigint NOT NULL DEFAULT 0,
	reserved           numeric,
	creates            integer NOT NULL DEFAULT 0,
	looks              integer NOT NULL DEFAULT 0,
	tries              integer NOT NULL DEFAULT 0,
	file_id            text,
	provider_batch_id  text,
	provider_status    text,
	output_file_id     text,
	error_file_id      text,
	provider_total     integer,
	provider_completed integer,
	provider_failed    integer,
	usage_input        bigint,
	usage_output       bigint,
	import_file        smallint NOT NULL DEFAULT 0,
	cursor             bigint NOT NULL DEFAULT 0,
	foreign_lines      integer NOT NULL DEFAULT 0,
	repeated_lines     integer NOT NULL DEFAULT 0,
	missing_lines      integer NOT NULL DEFAULT 0,
	rescued            integer NOT NULL DEFAULT 0,
	cost               numeric,
	reason             text,
	detail             text,
	CHECK (state NOT IN ('created', 'running', 'ended', 'imported') OR provider_batch_id IS NOT NULL)
) WITH (fillfactor = 50);
CREATE INDEX batches_open ON batches (look_at) WHERE state NOT IN ('imported', 'held', 'failed');
-- A provider's batch is never two of ours.
CREATE UNIQUE INDEX batches_provider ON batches (provider, provider_batch_id);
-- Where a submission can't be told from another one for certain, only one at a time may be of unknown fate.
CREATE UNIQUE INDEX batches_one_unknown ON batches (provider, credential)
	WHERE dialect = 'anthropic' AND create_intended_at IS NOT NULL AND provider_batch_id IS NULL AND state <> 'failed';
COMMENT ON COLUMN batches.fence IS 'Raised whenever the lease changes hands; a step under an older one changes nothing.';
COMMENT ON COLUMN batches.create_intended_at IS 'A create may have left since then; it is looked for before another one leaves.';
COMMENT ON COLUMN batches.tokens IS 'Estimated prompt tokens, held against the enqueued-token limit until the batch ends.';
COMMENT ON COLUMN batches.cursor IS 'Bytes of the result file import_file (0 output, 1 errors) whose lines are settled.';

ALTER TABLE jobs ADD COLUMN batch_id uuid;
COMMENT ON COLUMN jobs.batch_id IS 'Of a BATCHED job: its batch; `due` is then when it is rescued into a sync lane.';
CREATE INDEX jobs_batched ON jobs (batch_id) WHERE state = 'BATCHED';
CREATE INDEX jobs_rescue ON jobs (due) WHERE state = 'BATCHED' AND due IS NOT NULL;
CREATE INDEX attempts_batch ON attempts (batch_id, attempt_id) WHERE batch_id IS NOT NULL;

-- A batch that will never run: its open lines end without money, its jobs wait for another one.
CREATE FUNCTION scatter_batch(batch uuid, why text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	given integer;
BEGIN
	PERFORM FROM attempts WHERE batch_id = batch AND state = 'sent' ORDER BY attempt_id FOR UPDATE;
	UPDATE attempts SET state = 'throttled', closed_at = now(), verdict = 'not_sent', reply = 'not_sent'
	WHERE batch_id = batch AND state = 'sent';
	WITH back AS (
		UPDATE jobs SET state = 'PARKED', reason = why, due = now(), owner = NULL, changed_at = now()
		WHERE batch_id = batch AND state = 'BATCHED' RETURNING job_id
	)
	SELECT count(*) INTO given FROM back;
	PERFORM count_repair('batch_scattered', given);
	RETURN given;
END $$;

REVOKE EXECUTE ON FUNCTION scatter_batch(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scatter_batch(uuid, text) TO sluice_worker;
GRANT SELECT, INSERT, UPDATE ON batches TO sluice_worker;
GRANT SELECT ON batches TO sluice_api;
