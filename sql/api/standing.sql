-- What stands where jobs were not accepted. $1 job ids.
SELECT i.job_id, coalesce(j.business_unit, '') AS business_unit, coalesce(j.fingerprint, t.fingerprint) AS fingerprint,
	lower(coalesce(j.state, t.state)::text) AS state
FROM unnest($1::uuid[]) AS i(job_id)
LEFT JOIN jobs j ON j.job_id = i.job_id
LEFT JOIN tombstones t ON t.job_id = i.job_id
