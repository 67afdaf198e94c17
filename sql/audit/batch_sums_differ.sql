-- A closed batch cost what its rows say, has an end for every line, and used the tokens that the provider counted.
WITH sums AS (
	SELECT b.batch_id, count(a.attempt_id) FILTER (WHERE a.state IN ('closed', 'unknown')) AS ended,
		count(a.attempt_id) FILTER (WHERE a.state = 'sent') AS open,
		coalesce(sum(l.amount), 0) AS amount, coalesce(sum(l.input) FILTER (WHERE l.kind = 'charge'), 0) AS input,
		coalesce(sum(l.output) FILTER (WHERE l.kind = 'charge'), 0) AS output,
		count(*) FILTER (WHERE l.kind = 'unknown') AS unknown
	FROM batches b JOIN attempts a ON a.batch_id = b.batch_id
	LEFT JOIN (
		SELECT attempt_id, month, max(kind) AS kind, sum(amount) AS amount,
			sum(input + cache_read + cache_write + cache_write_1h) AS input, sum(output) AS output
		FROM ledger WHERE kind NOT IN ('adjustment', 'share') GROUP BY 1, 2
	) l ON l.month = date_trunc('month', a.day)::date AND l.attempt_id = a.attempt_id
	WHERE b.state = 'imported' GROUP BY b.batch_id
)
SELECT b.batch_id::text AS batch, b.provider, b.model, b.lines::text, s.ended::text, s.open::text, b.cost::text AS "cost of the batch",
	s.amount::text AS "cost of its rows", b.usage_input::text AS "tokens in", s.input::text AS "in rows",
	b.usage_output::text AS "tokens out", s.output::text AS "out rows"
FROM batches b JOIN sums s USING (batch_id)
WHERE s.open > 0 OR b.cost IS DISTINCT FROM s.amount
	OR (s.unknown = 0 AND b.usage_input IS NOT NULL AND (b.usage_input, b.usage_output) IS DISTINCT FROM (s.input, s.output))
