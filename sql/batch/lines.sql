-- Lines of a batch in order, with what their request is made of. $1 batch, $2 after this attempt, $3 how many
SELECT a.attempt_id, a.day - date '2000-01-01' AS day_no, a.job_id, a.run, a.hop, a.epoch, a.tier, j.lane::text, j.progress,
	j.state::text, coalesce(j.epoch = a.epoch AND j.state = 'BATCHED' AND j.batch_id = a.batch_id, false) AS ours,
	j.cancel_requested, p.headers, p.body, a.bound, a.model, a.credential, a.provider,
	extract(epoch FROM now() - a.sent_at)::float8 AS age_s
FROM (
	SELECT * FROM attempts WHERE batch_id = $1 AND attempt_id > $2 AND state = 'sent' ORDER BY attempt_id LIMIT $3
) a
JOIN jobs j ON j.job_id = a.job_id
JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
ORDER BY a.attempt_id
