-- A batch of a file the key may see; no row: there is no such file. A client that did not hear the answer to the same wish
-- asks again and gets the batch it made then. $1 units the key sees (null: all), $2 key, $3 batch id, $4 input file,
-- $5 business unit, $6 feature, $7 environment, $8 usage tier, $9 task, $10 lane, $11 endpoint, $12 completion window,
-- $13 seconds until it expires, $14 metadata (null: none), $15 seconds its files are kept (0: as others), $16 it is asked again
WITH input AS (
	SELECT file_id FROM api_files
	WHERE file_id = $4 AND ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2) AND purpose = 'batch'
		AND deleted_at IS NULL AND expires_at > now()
), again AS (
	SELECT b.* FROM api_batches b JOIN input i ON b.input_file_id = i.file_id
	WHERE $16::bool AND b.key_id = $2 AND b.metadata IS NOT DISTINCT FROM $14 AND b.created_at > now() - interval '15 min'
	ORDER BY b.batch_id DESC LIMIT 1
), made AS (
	INSERT INTO api_batches (batch_id, input_file_id, key_id, business_unit, feature, environment, usage_tier, task, lane, endpoint,
		completion_window, expires_at, metadata, output_seconds)
	SELECT $3, file_id, $2, $5, $6, $7, $8, $9, $10, $11, $12, now() + make_interval(secs => $13::int8), $14::text, nullif($15::int, 0)
	FROM input WHERE NOT EXISTS (SELECT FROM again)
	RETURNING *
)
SELECT batch_id, endpoint, model, coalesce(errors, '') AS errors, input_file_id, completion_window, state, output_file_id, error_file_id, created_at,
	in_progress_at, expires_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at, total, completed, failed,
	coalesce(usage, '') AS usage, coalesce(metadata, '') AS metadata
FROM (SELECT * FROM made UNION ALL SELECT * FROM again) b
