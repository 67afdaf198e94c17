-- No job is held by a worker that is gone (two minutes are left for repair).
SELECT j.job_id::text AS job, j.owner::text AS worker, extract(epoch FROM now() - j.changed_at)::int8::text AS "held s"
FROM jobs j
LEFT JOIN workers w ON w.worker_id = j.owner AND w.ended_at IS NULL AND w.beat_at > now() - interval '2 minutes'
WHERE j.state = 'CLAIMED' AND w.worker_id IS NULL AND j.changed_at < now() - interval '2 minutes'
