-- Debts whose time has come; their next try moves on so that nobody else takes them meanwhile. $1 how many.
WITH due AS (
	SELECT event_id FROM outbox WHERE next_try <= now() AND kind <> 'webhook' ORDER BY next_try LIMIT $1::int FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET next_try = now() + interval '20 s', tries = o.tries + 1
FROM due d WHERE o.event_id = d.event_id
RETURNING o.event_id, o.topic, o.key, o.headers, o.body, o.tries
