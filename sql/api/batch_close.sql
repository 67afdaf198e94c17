-- The files are written: they are there from now on, and the batch has ended. 0: the turn is over. $1 batch, $2 turn,
-- $3 output file (null: none), $4 its bytes, $5 its name, $6 error file (null: none), $7 its bytes, $8 its name, $9 lines done,
-- $10 lines failed, $11 lines that ran out of time, $12 tokens used, as JSON
WITH held AS (
	UPDATE api_batches SET step = 'ended', ended_at = now(), output_file_id = $3, error_file_id = $6, completed = $9, failed = $10, usage = $12,
		finalizing_at = CASE state WHEN 'cancelling' THEN finalizing_at ELSE coalesce(finalizing_at, now()) END,
		completed_at = CASE WHEN state <> 'cancelling' AND $11::int = 0 THEN now() END,
		expired_at = CASE WHEN state <> 'cancelling' AND $11 > 0 THEN now() END,
		cancelled_at = CASE WHEN state = 'cancelling' THEN now() END,
		state = CASE WHEN state = 'cancelling' THEN 'cancelled' WHEN $11 > 0 THEN 'expired' ELSE 'completed' END
	WHERE batch_id = $1 AND turn = $2 AND step = 'write'
	RETURNING business_unit, key_id, output_seconds
), there AS (
	INSERT INTO api_files (file_id, business_unit, key_id, purpose, filename, bytes, expires_at)
	SELECT f.file_id, h.business_unit, h.key_id, 'batch_output', f.name, f.bytes, now() + make_interval(secs => coalesce(h.output_seconds, 2592000))
	FROM held h, (VALUES ($3::uuid, $5::text, $4::int8), ($6::uuid, $8::text, $7::int8)) AS f(file_id, name, bytes) WHERE f.file_id IS NOT NULL
)
SELECT count(*)::int AS held FROM held
