-- Webhooks on their way and ended, newest first. $1 business unit or null, $2 fate or null, $3 seconds back, $4 at most
SELECT event_id::text AS event, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS "owed (UTC)",
	CASE unit WHEN '' THEN '(alerts)' ELSE unit END AS "business unit", fate, tries::text AS "tries#",
	coalesce(last.status::text, '') AS "status#", coalesce(last.failure, '') AS failure, next, url
FROM (
	SELECT event_id, created_at, key AS unit, CASE tries WHEN 0 THEN 'owed' ELSE 'waiting' END AS fate, tries,
		to_char(next_try AT TIME ZONE 'UTC', 'HH24:MI:SS') AS next, topic AS url FROM outbox WHERE kind = 'webhook'
	UNION ALL
	SELECT event_id, created_at, business_unit, fate, tries, '', url FROM webhook_log
) w LEFT JOIN LATERAL (
	SELECT status, failure FROM webhook_tries t WHERE t.event_id = w.event_id ORDER BY at DESC LIMIT 1
) last ON true
WHERE ($1::text IS NULL OR unit = $1) AND ($2::text IS NULL OR fate = $2) AND created_at >= now() - make_interval(secs => $3::float8)
ORDER BY created_at DESC, event_id LIMIT $4::bigint
