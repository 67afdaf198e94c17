-- Ask for the end of a batch at its provider; what has finished is returned and billed. $1 batch, $2 unused
WITH asked AS (
	UPDATE batches SET cancel_requested = true, look_at = now() WHERE batch_id = $1 AND state IN ('created', 'running') AND $2::text IS NULL
	RETURNING batch_id
)
SELECT b.state::text, EXISTS (SELECT FROM asked) AS done FROM batches b WHERE b.batch_id = $1
