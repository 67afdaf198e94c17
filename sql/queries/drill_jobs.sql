-- How these jobs stand. $1 job ids, $2 tiers cheaper than the one they were sent to
SELECT count(*) FILTER (WHERE j.state = 'DONE') AS done, count(*) FILTER (WHERE j.state IN ('DEAD', 'CANCELLED')) AS dead,
	count(*) FILTER (WHERE r.degraded AND r.model IS NULL) AS static,
	count(*) FILTER (WHERE j.state = 'DONE' AND r.tier = ANY ($2::text[])) AS cheaper,
	coalesce(string_agg(DISTINCT j.reason, ', ') FILTER (WHERE j.state IN ('DEAD', 'CANCELLED')), '') AS reasons
FROM unnest($1::uuid[]) AS w(job_id)
LEFT JOIN jobs j ON j.job_id = w.job_id
LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
