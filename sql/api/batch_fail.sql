-- Lines are bad: none is run. $1 batch, $2 turn, $3 what is wrong, as JSON
WITH held AS (
	UPDATE api_batches SET step = 'ended', state = 'failed', failed_at = now(), ended_at = now(), errors = $3
	WHERE batch_id = $1 AND turn = $2 AND step = 'check' RETURNING batch_id
), gone AS (
	DELETE FROM api_batch_lines l USING held h WHERE l.batch_id = h.batch_id
)
SELECT count(*)::int AS held FROM held
