-- Batches that want to be looked at, for a while ours alone. $1 most
WITH due AS (
	SELECT batch_id FROM api_batches WHERE step <> 'ended' AND look_at <= now() ORDER BY look_at LIMIT $1::int4 FOR UPDATE SKIP LOCKED
)
UPDATE api_batches b SET turn = b.turn + 1, look_at = now() + interval '15 s' FROM due d WHERE b.batch_id = d.batch_id
RETURNING b.batch_id, b.turn, b.step, b.input_file_id, b.admitted, b.total, b.business_unit, b.key_id, b.feature, b.environment,
	b.usage_tier, b.task, b.lane, b.expires_at, b.state
