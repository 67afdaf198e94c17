-- Jobs, newest id first. $1 state, $2 business unit, $3 tier, $4 lane, $5 reason, $6 task (null: any), $7 most
SELECT j.job_id::text AS job, lower(j.state::text) AS state, coalesce(j.reason, '') AS reason, j.business_unit AS unit,
	coalesce(p.task, '') AS task, j.tier, j.lane::text AS lane, j.run::text AS "run#", j.hop::text AS "hop#",
	to_char(j.created_at, 'YYYY-MM-DD HH24:MI:SS') AS created,
	coalesce(to_char(j.due, 'YYYY-MM-DD HH24:MI:SS'), '') AS due
FROM jobs j LEFT JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE ($1::text IS NULL OR j.state = upper($1)::job_state) AND ($2::text IS NULL OR j.business_unit = $2)
	AND ($3::text IS NULL OR j.tier = $3) AND ($4::text IS NULL OR j.lane = $4::lane)
	AND ($5::text IS NULL OR j.reason = $5) AND ($6::text IS NULL OR p.task = $6)
ORDER BY j.job_id DESC LIMIT $7
