-- One batch, a row a fact. $1 batch
WITH b AS (SELECT * FROM batches WHERE batch_id = $1), money AS (
	SELECT sum(l.amount) AS amount, count(*) FILTER (WHERE l.kind = 'charge') AS charges, count(*) FILTER (WHERE l.kind = 'unknown') AS unknown,
		count(*) FILTER (WHERE l.purpose = 'late') AS late,
		sum(l.input * p.input + l.cache_read * p.cache_read + l.cache_write * p.cache_write + l.cache_write_1h * p.cache_write_1h
			+ l.output * p.output) FILTER (WHERE l.kind = 'charge') AS in_sync,
		sum(l.amount) FILTER (WHERE l.kind = 'charge') AS charged
	FROM b JOIN attempts a ON a.batch_id = b.batch_id
	JOIN ledger l ON l.month = date_trunc('month', a.day)::date AND l.attempt_id = a.attempt_id
	LEFT JOIN LATERAL (
		SELECT * FROM prices p WHERE p.provider = l.provider AND p.mode = 'sync' AND p.model IN (l.model, a.model)
			AND p.effective_from <= l.sent_at ORDER BY p.model = l.model DESC, p.effective_from DESC LIMIT 1
	) p ON true
), lines AS (
	SELECT string_agg(count || ' ' || reply, ', ' ORDER BY count DESC) AS replies FROM (
		SELECT coalesce(a.reply, 'open') AS reply, count(*)::text AS count FROM b JOIN attempts a ON a.batch_id = b.batch_id GROUP BY 1) r
), jobs_now AS (
	SELECT string_agg(count || ' ' || state, ', ' ORDER BY count DESC) AS states FROM (
		SELECT lower(j.state::text) AS state, count(*)::text AS count FROM b JOIN attempts a ON a.batch_id = b.batch_id
		JOIN jobs j ON j.job_id = a.job_id GROUP BY 1) r
)
SELECT f.fact, f.value FROM b, money m, lines, jobs_now, LATERAL (VALUES
	(1, 'batch', b.batch_id::text), (2, 'state', b.state::text), (3, 'reason', b.reason), (4, 'detail', b.detail),
	(5, 'provider', b.provider || ' ' || b.model || ', credential ' || b.credential),
	(6, 'provider''s batch', b.provider_batch_id), (7, 'provider''s state', b.provider_status), (8, 'input file', b.file_id),
	(9, 'lines', b.lines::text || ' in ' || b.bytes::text || ' bytes'), (10, 'their replies', lines.replies),
	(11, 'their jobs now', jobs_now.states),
	(12, 'provider''s count', b.provider_completed::text || ' completed, ' || b.provider_failed::text || ' failed of ' || b.provider_total::text),
	(13, 'odd lines', CASE WHEN b.foreign_lines + b.missing_lines + b.repeated_lines > 0 THEN b.foreign_lines::text || ' foreign, '
		|| b.missing_lines::text || ' missing, ' || b.repeated_lines::text || ' repeated' END),
	(14, 'rescued', CASE WHEN b.rescued > 0 THEN b.rescued::text || ' jobs left for the normal lane' END),
	(15, 'creates', b.creates::text || CASE WHEN b.create_intended_at IS NOT NULL AND b.provider_batch_id IS NULL
		THEN ', the last of unknown fate since ' || to_char(b.create_intended_at, 'YYYY-MM-DD HH24:MI:SS') ELSE '' END),
	(16, 'opened', to_char(b.opened_at, 'YYYY-MM-DD HH24:MI:SS')), (17, 'created', to_char(b.created_at, 'YYYY-MM-DD HH24:MI:SS')),
	(18, 'ended', to_char(b.ended_at, 'YYYY-MM-DD HH24:MI:SS')), (19, 'closed', to_char(b.closed_at, 'YYYY-MM-DD HH24:MI:SS')),
	(20, 'held by', b.owner::text), (21, 'reserved usd', round(b.reserved / 1e12, 6)::text),
	(22, 'cost usd', round(coalesce(b.cost, m.amount) / 1e12, 6)::text),
	(23, 'saved against sync usd', round((m.in_sync - m.charged) / 1e12, 6)::text),
	(24, 'waste', CASE WHEN m.late > 0 THEN m.late::text || ' lines came after their job was decided elsewhere' END)
) AS f(number, fact, value) WHERE f.value IS NOT NULL ORDER BY f.number
