-- How each of these jobs ended. $1 job ids
SELECT j.job_id::text AS job, lower(j.state::text) AS outcome, coalesce(r.reason, j.reason, '') AS reason,
	coalesce(r.model, '') AS model, coalesce(r.attempts, 0)::text AS "attempts#",
	coalesce(trim_scale(r.cost / 1e12)::text, '') AS "usd#"
FROM jobs j LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
WHERE j.job_id = ANY ($1::uuid[]) AND ($2 OR j.state <> 'DONE')
ORDER BY j.job_id
