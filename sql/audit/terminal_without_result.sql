-- Every job that ended has the result or the reason of its run.
SELECT j.job_id::text AS job, lower(j.state::text) AS state, j.run::text AS run
FROM jobs j
WHERE j.state IN ('DONE', 'DEAD', 'CANCELLED')
	AND NOT EXISTS (SELECT FROM results r WHERE r.day = j.day AND r.job_id = j.job_id AND r.run = j.run AND r.reason <> '')
