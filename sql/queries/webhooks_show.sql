-- Every try of a webhook. $1 event id
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS "at (UTC)", number::text AS "try#", nullif(status, 0)::text AS "status#",
	ms::text AS "ms#", failure
FROM webhook_tries WHERE event_id = $1 ORDER BY at, number
