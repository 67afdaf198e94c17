-- Every booked call has a price, or an adjustment that gave it one later.
SELECT l.provider, l.model, l.mode, count(*)::text AS calls, to_char(min(l.sent_at), 'YYYY-MM-DD HH24:MI') AS since
FROM ledger l
WHERE l.amount IS NULL
	AND NOT EXISTS (SELECT FROM ledger a WHERE a.attempt_id = l.attempt_id AND a.kind = 'adjustment' AND a.amount IS NOT NULL)
GROUP BY l.provider, l.model, l.mode
