-- Batches, newest first. $1 state (null: those that are not closed), $2 provider (null: any), $3 closed ones too, $4 most
WITH shown AS MATERIALIZED (
	SELECT b.*, b.state IN ('intended', 'uploaded', 'created', 'running') AS under_way,
		b.intended_at + make_interval(secs => coalesce(t.p95_s, 86400)) AS expected
	FROM batches b LEFT JOIN batch_times() t ON t.provider = b.provider AND t.model = b.model AND t.batches >= 5
	WHERE ($2::text IS NULL OR b.provider = $2)
		AND CASE WHEN $1::text IS NOT NULL THEN b.state = $1::batch_state ELSE $3 OR b.state NOT IN ('imported', 'failed') END
	ORDER BY b.batch_id DESC LIMIT $4
)
SELECT b.batch_id::text AS batch, b.state::text, b.provider, b.model, b.lines::text AS "lines#",
	CASE WHEN b.provider_completed IS NOT NULL THEN b.provider_completed::text || ' + ' || coalesce(b.provider_failed, 0)::text || ' failed'
		WHEN b.dialect = 'anthropic' AND b.under_way THEN 'not told before the end' ELSE '' END AS progress,
	extract(epoch FROM coalesce(b.closed_at, now()) - b.opened_at)::int8::text AS "age s#",
	CASE WHEN NOT b.under_way THEN '' WHEN r.soon > 0 THEN r.soon::text || ' leave within 1 h'
		WHEN r.early > 0 THEN r.early::text || ' of ' || r.dated::text || ' may leave' WHEN r.dated > 0 THEN 'in time'
		ELSE 'no deadline' END AS "deadline risk",
	b.rescued::text AS "rescued#", coalesce(round(coalesce(b.cost, m.amount) / 1e12, 6)::text, '') AS "usd so far#",
	coalesce(round(coalesce(b.saved, m.in_sync - m.charged) / 1e12, 6)::text, '') AS "saved usd#", coalesce(b.reason, '') AS reason
FROM shown b
LEFT JOIN LATERAL (SELECT * FROM batch_risk(b.batch_id, b.expected) WHERE b.under_way) r ON true
LEFT JOIN LATERAL (SELECT * FROM batch_money(b.batch_id) WHERE b.state = 'ended' OR (b.state = 'imported' AND b.saved IS NULL)) m ON true
ORDER BY b.batch_id DESC
