-- How many of these jobs have ended, how, and what they cost so far. $1 job ids
SELECT count(*) FILTER (WHERE j.state = 'DONE') AS done, count(*) FILTER (WHERE j.state = 'DEAD') AS dead,
	count(*) FILTER (WHERE j.state = 'CANCELLED') AS cancelled, count(*) FILTER (WHERE j.state = 'PARKED') AS parked,
	count(*) FILTER (WHERE j.state IS NULL) AS unseen,
	coalesce((SELECT sum(amount) FROM ledger l WHERE l.job_id = ANY ($1::uuid[])), 0)::float8 AS spent
FROM unnest($1::uuid[]) AS w(job_id)
LEFT JOIN (SELECT job_id, state FROM jobs WHERE job_id = ANY ($1::uuid[])
	UNION ALL SELECT job_id, state FROM tombstones t WHERE job_id = ANY ($1::uuid[])
		AND NOT EXISTS (SELECT FROM jobs b WHERE b.job_id = t.job_id)) j USING (job_id)
