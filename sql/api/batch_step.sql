-- The next step, at once. 0: the turn is over. $1 batch, $2 turn, $3 from, $4 to
WITH held AS (
	UPDATE api_batches SET step = $4, look_at = now() WHERE batch_id = $1 AND turn = $2 AND step = $3 RETURNING batch_id
)
SELECT count(*)::int AS held FROM held
