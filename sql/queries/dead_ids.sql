-- Ids of dead jobs to run again, oldest first. $1 business unit, $2 reason (null: any), $3 how far back in seconds, $4 most
SELECT job_id FROM jobs
WHERE state = 'DEAD' AND ($1::text IS NULL OR business_unit = $1) AND ($2::text IS NULL OR reason = $2)
	AND changed_at >= now() - make_interval(secs => $3)
ORDER BY changed_at LIMIT $4
