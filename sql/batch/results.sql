-- The open lines among these, with what they are judged by; same columns as lines.sql. $1 batch, $2 attempts
SELECT a.attempt_id, a.day - date '2000-01-01' AS day_no, a.job_id, a.run, a.hop, a.epoch, a.tier, j.lane::text, j.progress,
	j.state::text, coalesce(j.epoch = a.epoch AND j.state = 'BATCHED' AND j.batch_id = a.batch_id, false) AS ours,
	j.cancel_requested, p.headers, p.body, a.bound, a.model, a.credential, a.provider,
	extract(epoch FROM now() - a.sent_at)::float8 AS age_s
FROM attempts a
JOIN jobs j ON j.job_id = a.job_id
JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE a.batch_id = $1 AND a.attempt_id = ANY ($2::uuid[]) AND a.state IN ('sent', 'unknown')
ORDER BY a.attempt_id
