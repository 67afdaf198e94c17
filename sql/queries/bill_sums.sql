-- Both sides in sums, as text. $1 whether the bill is complete up to now; otherwise it covers from its first to its last call
WITH period AS (
	SELECT CASE WHEN $1 THEN '-infinity' ELSE min(at) END AS since, CASE WHEN $1 THEN 'infinity' ELSE max(at) END AS until FROM bill_lines
), booked AS (
	SELECT l.* FROM ledger l, period p
	WHERE l.sent_at BETWEEN p.since AND p.until OR l.attempt_id IN (SELECT attempt FROM bill)
)
SELECT (SELECT sum(calls) FROM bill)::text AS "calls billed#",
	trim_scale(coalesce((SELECT sum(amount) FROM bill), 0) / 1e12)::text AS "usd billed#",
	trim_scale(coalesce(sum(amount), 0) / 1e12)::text AS "usd booked#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0) / 1e12)::text AS "charges#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE kind = 'unknown'), 0) / 1e12)::text AS "unknown#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE kind = 'adjustment'), 0) / 1e12)::text AS "adjustments#",
	trim_scale((coalesce(sum(amount), 0) - coalesce((SELECT sum(amount) FROM bill), 0)) / 1e12)::text AS "difference#"
FROM booked
