-- BATCHED jobs whose deadline nears, locked. $1 how many
SELECT job_id, run, hop, tier, p.headers, j.batch_id FROM jobs j JOIN payloads p USING (day, job_id)
WHERE j.state = 'BATCHED' AND j.due <= now() AND NOT j.cancel_requested ORDER BY j.job_id LIMIT $1 FOR UPDATE OF j SKIP LOCKED
