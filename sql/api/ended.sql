-- Which of these jobs have ended, or are gone. $1 job ids.
SELECT i.job_id FROM unnest($1::uuid[]) AS i(job_id) LEFT JOIN jobs j ON j.job_id = i.job_id
WHERE j.job_id IS NULL OR j.state IN ('DONE', 'DEAD', 'CANCELLED')
