-- Make the ledger equal the bill: each billed attempt gets an adjustment of what is missing or too much, and
-- each unknown one that the bill covers is closed, at what the bill says or at nothing. $1 as in bill_sums
WITH one_at_a_time AS MATERIALIZED (
	SELECT pg_advisory_xact_lock(hashtext('sluice.bill_book'))
), period AS (
	SELECT CASE WHEN $1 THEN '-infinity' ELSE min(at) END AS since, CASE WHEN $1 THEN 'infinity' ELSE max(at) END AS until
	FROM bill_lines, one_at_a_time
), lost AS (
	SELECT a.day, a.attempt_id FROM attempts a, period p
	WHERE a.state = 'unknown' AND (a.sent_at BETWEEN p.since AND p.until OR a.attempt_id IN (SELECT attempt FROM bill))
	ORDER BY a.attempt_id FOR UPDATE OF a
), closed AS (
	UPDATE attempts a SET state = 'closed', closed_at = now(), verdict = 'reconciled'
	FROM lost l WHERE a.day = l.day AND a.attempt_id = l.attempt_id
	RETURNING a.attempt_id
), booked AS (
	SELECT l.attempt_id, coalesce(sum(l.amount), 0) AS net, coalesce(max(l.seq) FILTER (WHERE l.kind = 'adjustment'), -1) + 1 AS seq,
		bool_or(l.kind IN ('charge', 'unknown') AND l.amount IS NULL) AND NOT bool_or(l.kind = 'adjustment') AS unpriced
	FROM ledger l
	WHERE l.attempt_id IN (SELECT attempt FROM bill UNION SELECT attempt_id FROM closed)
	GROUP BY l.attempt_id
), wrong AS (
	SELECT k.attempt_id, coalesce(b.amount, 0) - k.net AS amount, k.seq
	FROM booked k LEFT JOIN bill b ON b.attempt = k.attempt_id
	WHERE coalesce(b.amount, 0) <> k.net OR k.unpriced
), adjusted AS (
	INSERT INTO ledger (month, attempt_id, kind, seq, job_id, run, hop, sent_at, amount, free_plan, lane, business_unit, feature,
		environment, usage_tier, user_name, task, prompt_name, prompt_version, provider, model, credential, tier, mode, purpose)
	SELECT l.month, l.attempt_id, 'adjustment', w.seq::smallint, l.job_id, l.run, l.hop, l.sent_at, w.amount, l.free_plan, l.lane,
		l.business_unit, l.feature, l.environment, l.usage_tier, l.user_name, l.task, l.prompt_name, l.prompt_version, l.provider,
		l.model, l.credential, l.tier, l.mode, l.purpose
	FROM wrong w JOIN ledger l ON l.attempt_id = w.attempt_id AND l.kind IN ('charge', 'unknown')
	RETURNING *
), summed AS (
	INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
		kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output)
	SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
		kind, purpose, count(*), 0, sum(amount), 0, 0, 0, 0
	FROM adjusted GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
)
SELECT count(*)::text AS "adjustments booked#", trim_scale(coalesce(sum(amount), 0) / 1e12)::text AS "usd#",
	(SELECT count(*) FROM closed)::text AS "unknown closed#"
FROM adjusted
