-- No attempt is open whose job nobody works on (two minutes are left for repair).
SELECT a.attempt_id::text AS attempt, a.job_id::text AS job, lower(j.state::text) AS state,
	extract(epoch FROM now() - a.sent_at)::int8::text AS "age s"
FROM attempts a
LEFT JOIN jobs j ON j.job_id = a.job_id
LEFT JOIN workers w ON w.worker_id = j.owner AND w.ended_at IS NULL AND w.beat_at > now() - interval '2 minutes'
WHERE a.state = 'sent' AND a.sent_at < now() - interval '2 minutes'
	AND (j.job_id IS NULL OR (j.state <> 'BATCHED' AND a.batch_id IS NULL AND (j.state <> 'CLAIMED' OR w.worker_id IS NULL)))
