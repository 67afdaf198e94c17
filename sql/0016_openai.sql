-- The shape of OpenAI's Batch API: files in pieces, and batches whose lines are ordinary jobs.

ALTER TABLE api_keys ADD feature text NOT NULL DEFAULT '';
COMMENT ON COLUMN api_keys.feature IS 'What batches of this key are booked under, where their metadata names no feature.';

-- A file is there once its row is: its pieces came before. Deleted ones stay as long as a batch still reads them.
CREATE TABLE api_files (
	file_id       uuid PRIMARY KEY,
	business_unit text NOT NULL,
	key_id        text NOT NULL,
	purpose       text NOT NULL CHECK (purpose IN ('batch', 'batch_output')),
	filename      text NOT NULL,
	bytes         bigint NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT now(),
	expires_at    timestamptz NOT NULL,
	deleted_at    timestamptz
);
CREATE INDEX api_files_unit ON api_files (business_unit, file_id);
COMMENT ON COLUMN api_files.business_unit IS 'Whose it is; empty: of the key that brought it, which has several units.';

CREATE TABLE api_file_chunks (
	file_id uuid NOT NULL,
	seq     integer NOT NULL,
	body    bytea COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (file_id, seq)
);
CREATE INDEX api_file_chunks_first ON api_file_chunks (file_id) WHERE seq = 0;

-- A batch is taken a step further by whichever process of the api has its turn: look_at is when it wants to be looked at,
-- and while somebody does, until when others leave it alone. What was done under an older turn changes nothing.
CREATE TABLE api_batches (
	batch_id          uuid PRIMARY KEY,
	state             text NOT NULL DEFAULT 'validating' CHECK (state IN ('validating', 'in_progress', 'finalizing', 'completed',
		'failed', 'expired', 'cancelling', 'cancelled')),
	step              text NOT NULL DEFAULT 'check' CHECK (step IN ('check', 'admit', 'watch', 'cancel', 'write', 'ended')),
	turn              integer NOT NULL DEFAULT 0,
	look_at           timestamptz NOT NULL DEFAULT now(),
	admitted          integer NOT NULL DEFAULT 0,
	total             integer NOT NULL DEFAULT 0,
	completed         integer NOT NULL DEFAULT 0,
	failed            integer NOT NULL DEFAULT 0,
	business_unit     text NOT NULL,
	key_id            text NOT NULL,
	feature           text NOT NULL,
	environment       text NOT NULL,
	usage_tier        text NOT NULL,
	task              text NOT NULL,
	lane              text NOT NULL,
	endpoint          text NOT NULL,
	completion_window text NOT NULL,
	model             text NOT NULL DEFAULT '',
	metadata          text,
	input_file_id     uuid NOT NULL,
	output_file_id    uuid,
	error_file_id     uuid,
	output_seconds    integer,
	errors            text,
	usage             text,
	created_at        timestamptz NOT NULL DEFAULT now(),
	expires_at        timestamptz NOT NULL,
	in_progress_at    timestamptz,
	finalizing_at     timestamptz,
	completed_at      timestamptz,
	failed_at         timestamptz,
	expired_at        timestamptz,
	cancelling_at     timestamptz,
	cancelled_at      timestamptz,
	ended_at          timestamptz
) WITH (fillfactor = 50);
CREATE INDEX api_batches_look ON api_batches (look_at) WHERE step <> 'ended';
CREATE INDEX api_batches_unit ON api_batches (business_unit, batch_id);
CREATE INDEX api_batches_input ON api_batches (input_file_id);
COMMENT ON COLUMN api_batches.step IS 'check the lines, admit them as jobs, watch these end, cancel what is left, write the files.';
COMMENT ON COLUMN api_batches.admitted IS 'All lines up to this one are jobs.';

-- The lines of a good file; their jobs have the same id whoever makes them, and however often.
CREATE TABLE api_batch_lines (
	batch_id  uuid NOT NULL,
	line      integer NOT NULL,
	job_id    uuid NOT NULL,
	custom_id text NOT NULL,
	problem   text,
	PRIMARY KEY (batch_id, line)
);
COMMENT ON COLUMN api_batch_lines.problem IS 'Why the line could not be made a job after all.';

-- What nobody can see any more. Pieces without a file are of uploads that never ended, older than that id.
CREATE FUNCTION api_sweep(unfinished uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	doomed uuid[];
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtext('sluice.api_sweep')) THEN
		RETURN 0;
	END IF;
	SELECT array_agg(file_id) INTO doomed FROM (
		(SELECT f.file_id FROM api_files f WHERE (f.deleted_at IS NOT NULL OR f.expires_at < now())
			AND NOT EXISTS (SELECT FROM api_batches b WHERE b.input_file_id = f.file_id AND b.step IN ('check', 'admit')) LIMIT 10)
		UNION ALL
		(SELECT c.file_id FROM api_file_chunks c WHERE c.seq = 0 AND c.file_id < unfinished
			AND NOT EXISTS (SELECT FROM api_files f WHERE f.file_id = c.file_id) LIMIT 10)) d;
	DELETE FROM api_files WHERE file_id = ANY (doomed);
	DELETE FROM api_file_chunks WHERE file_id = ANY (doomed);
	DELETE FROM api_batch_lines WHERE batch_id IN (SELECT b.batch_id FROM api_batches b WHERE b.ended_at < now() - interval '1 day'
		AND EXISTS (SELECT FROM api_batch_lines l WHERE l.batch_id = b.batch_id) LIMIT 5);
	DELETE FROM api_batches WHERE ended_at < now() - interval '90 days';
	RETURN coalesce(cardinality(doomed), 0);
END $$;

REVOKE EXECUTE ON FUNCTION api_sweep(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api_sweep(uuid) TO sluice_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON api_files, api_file_chunks, api_batches, api_batch_lines TO sluice_api;

-- Functions that a model asks to be called are its answer.
ALTER TABLE results ADD tool_calls text;
COMMENT ON COLUMN results.tool_calls IS 'The calls the model asked for, as a JSON array; NULL: none.';
