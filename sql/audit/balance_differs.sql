-- What a balance has reserved is the unspent part of its leases and the bounds of its open and unknown attempts.
SELECT a.allowance_id::text, a.unit, a.period, a.scope::text, a.reserved::text, (coalesce(l.unspent, 0) + coalesce(r.held, 0))::text AS found,
	a.unknown::text, coalesce(r.unknown, 0)::text AS "found unknown"
FROM allowances a
LEFT JOIN (SELECT allowance_id, sum(granted - spent) AS unspent FROM leases GROUP BY 1) l USING (allowance_id)
LEFT JOIN (SELECT allowance_id, sum(amount) AS held, sum(amount) FILTER (WHERE unknown) AS unknown FROM reservations GROUP BY 1) r
	USING (allowance_id)
WHERE a.kind = 'balance' AND (a.reserved <> coalesce(l.unspent, 0) + coalesce(r.held, 0) OR a.unknown <> coalesce(r.unknown, 0)
	OR a.excess = 0 AND a.charged + a.reserved > a.cap)
