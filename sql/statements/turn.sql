-- A worker's turn at its allowances and at the fleet's breakers. $1 worker, $2 workers alive; per allowance: $3 id,
-- $4 lease it knows, $5 want, $6 need, $7 credit, $8 limit and $9 rest as the provider tells (-1: not told), $10 age of that
-- in ms, $11 hold in ms, $12 a 429 came, $13 the first rank that asks for it here. Per breaker it has to speak of: $14 provider,
-- $15 credential, $16 model, $17 word, $18 wait in ms, $19 why.
SELECT (SELECT coalesce(max(version), 0) FROM allowances) AS version, t.allowance_id, t.granted, t.lease_id, t.most, t.held_ms,
	t.period_ms, t.says, t.thinks, t.share_used, t.first,
	(SELECT breakers_turn($1, $14::text[], $15::text[], $16::text[], $17::text[], $18::int[], $19::text[])) AS breakers
FROM (SELECT 1) AS one
LEFT JOIN allow_turn($1, $2, $3::int[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int[],
	$11::int[], $12::bool[], $13::int[]) t ON true
