-- What was raised, newest first. $1 kind or null, $2 seconds back, $3 at most
SELECT to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS "at (UTC)", a.kind,
	CASE WHEN a.kind <> 'budget' THEN a.subject WHEN b.scope = '{}' THEN 'all jobs'
		ELSE coalesce((SELECT string_agg(key || '=' || value, ' ' ORDER BY key) FROM jsonb_each_text(b.scope)),
			'budget ' || a.allowance_id) END AS subject,
	CASE WHEN a.kind <> 'budget' THEN (SELECT string_agg(d.key || '=' || d.value, ' ' ORDER BY d.key) FROM jsonb_each_text(a.detail) d)
		ELSE format('%s %% of %s %s per %s', a.threshold, trim_scale(a.cap / CASE b.unit WHEN 'usd' THEN 1e12 ELSE 1 END), b.unit,
			b.period) END AS what,
	CASE WHEN a.posted_at IS NULL THEN '' ELSE to_char(a.posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') END AS "posted (UTC)"
FROM alerts a LEFT JOIN allowances b USING (allowance_id)
WHERE a.at >= now() - make_interval(secs => $2::float8) AND ($1::text IS NULL OR a.kind = $1)
ORDER BY a.alert_id DESC LIMIT $3::bigint
