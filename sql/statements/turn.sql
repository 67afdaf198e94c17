-- A worker's turn at its allowances and at the fleet's breakers. $1 worker, $2 workers alive; per allowance: $3 id,
-- $4 lease it knows, $5 want, $6 need, $7 credit, $8 limit and $9 rest as the provider tells (-1: not told), $10 age of that
-- in ms, $11 hold in ms, $12 a 429 came. Per breaker it has to speak of: $13 provider, $14 credential, $15 model, $16 word,
-- $17 wait in ms, $18 why.
SELECT (SELECT coalesce(max(version), 0) FROM allowances) AS version, t.allowance_id, t.granted, t.lease_id, t.most, t.held_ms,
	t.period_ms, t.says, t.thinks, t.share_used,
	(SELECT breakers_turn($1, $13::text[], $14::text[], $15::text[], $16::text[], $17::int[], $18::text[])) AS breakers
FROM (SELECT 1) AS one
LEFT JOIN allow_turn($1, $2, $3::int[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int[],
	$11::int[], $12::bool[]) t ON true
