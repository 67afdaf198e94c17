-- Jobs that died and messages that were rejected, latest first. $1 business unit, $2 reason (null: any),
-- $3 how far back in seconds, $4 most
(SELECT 'job' AS kind, j.job_id::text AS id, j.business_unit AS unit, coalesce(j.reason, '') AS reason,
	to_char(j.changed_at, 'YYYY-MM-DD HH24:MI:SS') AS at, coalesce(r.attempts, 0)::text AS "attempts#",
	coalesce(trim_scale(r.cost / 1e12)::text, '') AS "usd#", coalesce(left(r.detail, 100), '') AS detail
FROM jobs j LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
WHERE j.state = 'DEAD' AND ($1::text IS NULL OR j.business_unit = $1) AND ($2::text IS NULL OR j.reason = $2)
	AND j.changed_at >= now() - make_interval(secs => $3) LIMIT $4)
UNION ALL
(SELECT 'message', topic || '/' || partition_no || '/' || offset_no, '', reason, to_char(at, 'YYYY-MM-DD HH24:MI:SS'), '', '',
	left(detail, 100)
FROM rejects
WHERE $1::text IS NULL AND ($2::text IS NULL OR reason = $2) AND at >= now() - make_interval(secs => $3) LIMIT $4)
ORDER BY 5 DESC LIMIT $4
