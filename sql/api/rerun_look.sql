-- Ended jobs that can be run again: their payload is still there. Back to the tier they first ran in. $1 job ids
SELECT j.job_id, j.run, coalesce((SELECT a.tier FROM attempts a WHERE a.job_id = j.job_id ORDER BY a.sent_at, a.attempt_id LIMIT 1), j.tier) AS tier,
	j.lane::text AS lane, coalesce(p.headers, '') AS headers
FROM jobs j JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE j.job_id = ANY ($1::uuid[]) AND j.state IN ('DONE', 'DEAD', 'CANCELLED')
ORDER BY j.job_id 
