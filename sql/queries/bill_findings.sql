-- Where bill and ledger say different things. An unknown at or above the bill is as promised. $1 as in bill_sums, $2 most
WITH period AS (
	SELECT CASE WHEN $1 THEN '-infinity' ELSE min(at) END AS since, CASE WHEN $1 THEN 'infinity' ELSE max(at) END AS until FROM bill_lines
), booked AS (
	SELECT l.attempt_id, sum(l.amount) AS net, bool_or(l.kind = 'charge') AS charged,
		bool_or(l.kind = 'unknown') AND NOT bool_or(l.kind = 'adjustment') AS unknown,
		bool_or(l.kind <> 'adjustment' AND l.amount IS NULL) AND NOT bool_or(l.kind = 'adjustment') AS unpriced
	FROM ledger l, period p
	WHERE l.sent_at BETWEEN p.since AND p.until OR l.attempt_id IN (SELECT attempt FROM bill)
	GROUP BY l.attempt_id
)
SELECT * FROM (
	SELECT CASE
			WHEN b.calls > 1 THEN 'billed more than once'
			WHEN k.attempt_id IS NULL AND a.attempt_id IS NULL THEN 'billed, not announced by any attempt'
			WHEN k.attempt_id IS NULL THEN 'billed, not booked'
			WHEN b.id IS NULL AND NOT k.unknown AND k.net <> 0 THEN 'booked, not billed'
			WHEN b.id IS NULL THEN NULL
			WHEN k.unpriced THEN 'unpriced'
			WHEN k.unknown AND k.net < b.amount THEN 'unknown below the bill'
			WHEN NOT k.unknown AND k.net <> b.amount THEN 'amounts differ'
		END AS finding,
		coalesce(b.id, k.attempt_id::text) AS attempt, coalesce(a.job_id::text, '') AS job, coalesce(a.state::text, '') AS state,
		coalesce(b.calls, 0)::text AS "calls#", coalesce(b.amount::text, '') AS "pico billed#", coalesce(k.net::text, '') AS "pico booked#",
		coalesce(b.delivered::text, '') AS delivered
	FROM bill b FULL JOIN booked k ON k.attempt_id = b.attempt
	LEFT JOIN attempts a ON a.attempt_id = coalesce(b.attempt, k.attempt_id)
) compared
WHERE finding IS NOT NULL AND NOT (finding = 'billed, not booked' AND state = 'sent')
ORDER BY 1, 2 LIMIT $2
