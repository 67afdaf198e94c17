-- All lines up to one are jobs, and the turn goes on. 0: it is over. $1 batch, $2 turn, $3 the line
WITH held AS (
	UPDATE api_batches SET look_at = now() + interval '15 s', admitted = greatest(admitted, $3)
	WHERE batch_id = $1 AND turn = $2 AND step = 'admit' RETURNING batch_id
)
SELECT count(*)::int AS held FROM held
