-- What stands in the way of the keys a claim did not win. $1 job ids.
SELECT i.job_id, coalesce(j.run, t.run) AS run, coalesce(j.hop, t.hop) AS hop, coalesce(j.state, t.state)::text AS state,
	coalesce(j.fingerprint, t.fingerprint) AS fingerprint, j.owner, j.claim_id, coalesce(j.epoch, 0) AS epoch,
	j.day - date '2000-01-01' AS day, coalesce(j.crash_count, 0) AS crash_count,
	coalesce(j.cancel_requested, false) AS cancel_requested, j.tier, j.lane::text AS lane, j.progress,
	p.body, p.headers
FROM unnest($1::uuid[]) AS i(job_id)
LEFT JOIN jobs j ON j.job_id = i.job_id
LEFT JOIN tombstones t ON t.job_id = i.job_id
LEFT JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id AND j.claim_id = $2 AND j.state = 'CLAIMED'
