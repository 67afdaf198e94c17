-- BATCHED jobs of these lines, locked; same columns as rescue_look.sql. $1 batch, $2 attempts
SELECT j.job_id, j.run, j.hop, j.tier, p.headers, j.batch_id FROM attempts a JOIN jobs j ON j.job_id = a.job_id AND j.epoch = a.epoch
JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE a.batch_id = $1 AND a.attempt_id = ANY ($2::uuid[]) AND j.state = 'BATCHED' ORDER BY j.job_id FOR UPDATE OF j
