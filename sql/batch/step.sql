-- One step forward, if the batch is still ours; one that is held is an alert. What is null or -1 stays as it is; the end of
-- a step starts the looks and tries anew.
--  $1 batch, $2 owner, $3 fence, $4 state, $5 lines, $6 bytes, $7 file, $8 the provider's id, $9 its word for the state,
--  $10 output file, $11 error file, $12 total, $13 completed, $14 failed, $15 input tokens, $16 output tokens, $17 reason,
--  $18 detail, $19 expires at
WITH stepped AS (
	UPDATE batches SET
		looks = CASE WHEN state::text = $4 THEN looks ELSE 0 END, tries = CASE WHEN state::text = $4 THEN tries ELSE 0 END,
		uploaded_at = CASE WHEN $4 = 'uploaded' THEN coalesce(uploaded_at, now()) ELSE uploaded_at END,
		created_at = CASE WHEN $4 = 'created' THEN coalesce(created_at, now()) ELSE created_at END,
		ended_at = CASE WHEN $4 = 'ended' THEN coalesce(ended_at, now()) ELSE ended_at END,
		closed_at = CASE WHEN $4 IN ('failed') THEN now() ELSE closed_at END,
		state = $4::batch_state, lines = coalesce(nullif($5, -1), lines), bytes = coalesce(nullif($6, -1), bytes), file_id = coalesce($7, file_id),
		provider_batch_id = coalesce($8, provider_batch_id), provider_status = coalesce($9, provider_status),
		output_file_id = coalesce($10, output_file_id), error_file_id = coalesce($11, error_file_id),
		provider_total = coalesce(nullif($12, -1), provider_total), provider_completed = coalesce(nullif($13, -1), provider_completed),
		provider_failed = coalesce(nullif($14, -1), provider_failed), usage_input = coalesce(nullif($15, -1), usage_input),
		usage_output = coalesce(nullif($16, -1), usage_output), reason = $17, detail = $18, expires_at = coalesce($19, expires_at)
	WHERE batch_id = $1 AND owner = $2 AND fence = $3
	RETURNING batch_id, provider, lines, reserved
)
SELECT batch_id, CASE WHEN $4 = 'held' THEN alert('batch', provider || '/' || batch_id, $17, jsonb_build_object('what', 'held', 'why', $17,
	'detail', left($18, 200), 'lines', lines, 'reserved_usd', round(reserved / 1e12, 6))) END AS told
FROM stepped
