-- All lines are good: they are to become jobs. 0: the turn is over. $1 batch, $2 turn, $3 lines, $4 model ('': several)
WITH held AS (
	UPDATE api_batches SET step = 'admit', state = 'in_progress', in_progress_at = now(), total = $3, model = $4, look_at = now()
	WHERE batch_id = $1 AND turn = $2 AND step = 'check' RETURNING batch_id
)
SELECT count(*)::int AS held FROM held
