-- Batches that a key may see, newest first. $1 units it sees (null: all), $2 key, $3 behind this one (null: from the first), $4 most
SELECT batch_id, endpoint, model, coalesce(errors, '') AS errors, input_file_id, completion_window, state, output_file_id, error_file_id, created_at,
	in_progress_at, expires_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at, total, completed, failed,
	coalesce(usage, '') AS usage, coalesce(metadata, '') AS metadata
FROM api_batches
WHERE ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2) AND ($3::uuid IS NULL OR batch_id < $3)
ORDER BY batch_id DESC LIMIT $4::int8
