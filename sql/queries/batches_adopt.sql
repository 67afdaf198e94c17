-- This is the provider's batch: its results are ours. $1 batch, $2 the provider's id
WITH adopted AS (
	UPDATE batches SET state = 'created', provider_batch_id = $2, fence = fence + 1, owner = NULL, lease_until = NULL, look_at = now(),
		reason = NULL, detail = NULL, import_file = 0, cursor = 0, output_file_id = NULL, error_file_id = NULL
	WHERE batch_id = $1 AND (state = 'held' OR (state = 'uploaded' AND create_intended_at IS NOT NULL)) AND $2::text IS NOT NULL
	RETURNING batch_id
)
SELECT b.state::text, EXISTS (SELECT FROM adopted) AS done FROM batches b WHERE b.batch_id = $1
