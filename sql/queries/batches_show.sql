-- One batch, a row a fact. $1 batch
WITH b AS (
	SELECT b.*, b.state IN ('intended', 'uploaded', 'created', 'running') AS under_way, t.p95_s,
		b.intended_at + make_interval(secs => coalesce(t.p95_s, 86400)) AS expected
	FROM batches b LEFT JOIN batch_times() t ON t.provider = b.provider AND t.model = b.model AND t.batches >= 5
	WHERE b.batch_id = $1
), money AS (
	SELECT * FROM batch_money($1)
), risk AS (
	SELECT r.* FROM b, batch_risk(b.batch_id, b.expected) r
), lines AS (
	SELECT string_agg(count || ' ' || reply, ', ' ORDER BY count DESC) AS replies FROM (
		SELECT coalesce(a.reply, 'open') AS reply, count(*)::text AS count FROM b JOIN attempts a ON a.batch_id = b.batch_id GROUP BY 1) r
), jobs_now AS (
	SELECT string_agg(count || ' ' || state, ', ' ORDER BY count DESC) AS states FROM (
		SELECT lower(j.state::text) AS state, count(*)::text AS count FROM b JOIN attempts a ON a.batch_id = b.batch_id
		JOIN jobs j ON j.job_id = a.job_id GROUP BY 1) r
)
SELECT f.fact, f.value FROM b, money m, risk r, lines, jobs_now, LATERAL (VALUES
	(1, 'batch', b.batch_id::text), (2, 'state', b.state::text), (3, 'reason', b.reason), (4, 'detail', b.detail),
	(5, 'provider', b.provider || ' ' || b.model || ', credential ' || b.credential),
	(6, 'provider''s batch', b.provider_batch_id), (7, 'provider''s state', b.provider_status), (8, 'input file', b.file_id),
	(9, 'lines', b.lines::text || ' in ' || b.bytes::text || ' bytes'), (10, 'their replies', lines.replies),
	(11, 'their jobs now', jobs_now.states),
	(12, 'provider''s count', b.provider_completed::text || ' completed, ' || b.provider_failed::text || ' failed of ' || b.provider_total::text),
	(13, 'progress', CASE WHEN b.under_way AND b.dialect = 'anthropic'
		THEN 'not told: Anthropic counts a batch''s lines only when all of it has ended' END),
	(14, 'expected', CASE WHEN b.under_way THEN 'by ' || to_char(b.expected, 'YYYY-MM-DD HH24:MI:SS') || CASE WHEN b.p95_s IS NULL
		THEN ', the day that is promised' ELSE ', as 95 of 100 of this model''s recent batches' END END),
	(15, 'deadline risk', CASE WHEN NOT b.under_way THEN NULL WHEN r.dated = 0 THEN 'none: no job in it has a deadline'
		ELSE r.early::text || ' of ' || r.dated::text || ' jobs with a deadline leave for the normal lane before that, '
			|| r.soon::text || ' within the hour' END),
	(16, 'odd lines', CASE WHEN b.foreign_lines + b.missing_lines + b.repeated_lines > 0 THEN b.foreign_lines::text || ' foreign, '
		|| b.missing_lines::text || ' missing, ' || b.repeated_lines::text || ' repeated' END),
	(17, 'rescued', CASE WHEN b.rescued > 0 THEN b.rescued::text || ' jobs left for the normal lane' END),
	(18, 'creates', b.creates::text || CASE WHEN b.create_intended_at IS NOT NULL AND b.provider_batch_id IS NULL
		THEN ', the last of unknown fate since ' || to_char(b.create_intended_at, 'YYYY-MM-DD HH24:MI:SS') ELSE '' END),
	(19, 'opened', to_char(b.opened_at, 'YYYY-MM-DD HH24:MI:SS')), (20, 'created', to_char(b.created_at, 'YYYY-MM-DD HH24:MI:SS')),
	(21, 'ended', to_char(b.ended_at, 'YYYY-MM-DD HH24:MI:SS')), (22, 'closed', to_char(b.closed_at, 'YYYY-MM-DD HH24:MI:SS')),
	(23, 'held by', b.owner::text), (24, 'reserved usd', round(b.reserved / 1e12, 6)::text),
	(25, 'cost so far usd', round(coalesce(b.cost, m.amount) / 1e12, 6)::text),
	(26, 'saved against sync usd', round(coalesce(b.saved, m.in_sync - m.charged) / 1e12, 6)::text),
	(27, 'waste', CASE WHEN m.late > 0 THEN m.late::text || ' lines came after their job was decided elsewhere' END)
) AS f(number, fact, value) WHERE f.value IS NOT NULL ORDER BY f.number
