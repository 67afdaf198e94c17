-- Every job that has not ended has its payload.
SELECT j.job_id::text AS job, lower(j.state::text) AS state, j.day::text
FROM jobs j
WHERE j.state NOT IN ('DONE', 'DEAD', 'CANCELLED')
	AND NOT EXISTS (SELECT FROM payloads p WHERE p.day = j.day AND p.job_id = j.job_id)
