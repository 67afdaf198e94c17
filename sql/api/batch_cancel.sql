-- What has not ended shall not run: whoever works at the batch finds that it has lost its turn. No row: it has ended, or there
-- is none. $1 units the key sees (null: all), $2 key, $3 batch id
UPDATE api_batches SET turn = CASE WHEN state = 'cancelling' THEN turn ELSE turn + 1 END,
	look_at = CASE WHEN state = 'cancelling' THEN look_at ELSE now() END, step = CASE WHEN state = 'cancelling' THEN step ELSE 'cancel' END, state = 'cancelling',
	cancelling_at = coalesce(cancelling_at, now())
WHERE batch_id = $3 AND ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2)
	AND state IN ('validating', 'in_progress', 'cancelling')
RETURNING batch_id, endpoint, model, coalesce(errors, '') AS errors, input_file_id, completion_window, state, output_file_id, error_file_id, created_at,
	in_progress_at, expires_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at, total, completed, failed,
	coalesce(usage, '') AS usage, coalesce(metadata, '') AS metadata
