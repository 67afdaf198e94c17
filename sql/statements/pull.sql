-- Take due work from Postgres. $1 owner, $2 claim id, per kind: $3 tier, $4 lane, $5 how many; $6 suspects only, one of them.
WITH wanted AS (
	SELECT p.job_id FROM unnest($3::text[], $4::text[], $5::int[]) AS w(tier, lane, most),
	LATERAL (
		SELECT j.job_id FROM jobs j
		WHERE j.state = 'PARKED' AND j.tier = w.tier AND j.lane = w.lane::lane AND j.due <= now()
			AND (j.crash_count >= 2) = $6
		ORDER BY j.due LIMIT CASE WHEN $6 THEN 1 ELSE w.most END FOR UPDATE SKIP LOCKED
	) p LIMIT CASE WHEN $6 THEN 1 END
), taken AS (
	UPDATE jobs j SET state = 'CLAIMED', owner = $1, claim_id = $2, epoch = j.epoch + 1, due = NULL, reason = NULL, changed_at = now()
	FROM wanted w WHERE j.job_id = w.job_id
	RETURNING j.job_id, j.state, j.run, j.hop, j.epoch, j.day, j.tier, j.lane, j.progress, j.crash_count, j.cancel_requested
)
SELECT t.job_id, t.state::text, t.run, t.hop, t.epoch, t.day - date '2000-01-01' AS day, t.tier, t.lane::text AS lane, t.progress,
	t.crash_count, t.cancel_requested, p.body, p.headers
FROM taken t LEFT JOIN payloads p ON p.day = t.day AND p.job_id = t.job_id
