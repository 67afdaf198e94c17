-- What jobs bear of a shared call sums to nothing, and each such call has a charge.
SELECT l.attempt_id::text AS attempt, count(*)::text AS shares, sum(l.amount)::text AS "pico too much"
FROM ledger l
WHERE l.kind = 'share'
GROUP BY l.attempt_id
HAVING sum(l.amount) <> 0 OR count(*) < 2
	OR NOT EXISTS (SELECT FROM ledger c WHERE c.attempt_id = l.attempt_id AND c.kind = 'charge')
