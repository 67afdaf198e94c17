-- Nothing of this batch ran or will: its jobs wait for another. $1 batch, $2 owner, $3 fence, $4 reason, $5 detail
WITH mine AS (
	UPDATE batches SET state = 'failed', closed_at = now(), owner = NULL, lease_until = NULL, reason = $4, detail = $5
	WHERE batch_id = $1 AND owner = $2 AND fence = $3 RETURNING batch_id
)
SELECT scatter_batch(batch_id, $4) AS given FROM mine
