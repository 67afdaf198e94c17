-- The provider surely has no such batch: another create may leave. $1 batch, $2 unused
WITH again AS (
	UPDATE batches SET state = CASE WHEN file_id IS NULL THEN 'intended' ELSE 'uploaded' END::batch_state, create_intended_at = NULL,
		provider_batch_id = NULL, provider_status = NULL, fence = fence + 1, owner = NULL, lease_until = NULL, look_at = now(),
		reason = NULL, detail = NULL, tries = 0, looks = 0
	WHERE batch_id = $1 AND state = 'held' AND $2::text IS NULL
	RETURNING batch_id
)
SELECT b.state::text, EXISTS (SELECT FROM again) AS done FROM batches b WHERE b.batch_id = $1
