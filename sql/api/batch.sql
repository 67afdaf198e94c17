-- A batch, for a key that may see it. $1 units it sees (null: all), $2 key, $3 batch id
SELECT batch_id, endpoint, model, coalesce(errors, '') AS errors, input_file_id, completion_window, state, output_file_id, error_file_id, created_at,
	in_progress_at, expires_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at, total, completed, failed,
	coalesce(usage, '') AS usage, coalesce(metadata, '') AS metadata
FROM api_batches WHERE batch_id = $3 AND ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2)
