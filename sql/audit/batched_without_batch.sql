-- Every BATCHED job is an open line of a batch that will be settled.
SELECT j.job_id::text AS job, j.batch_id::text AS batch, coalesce(b.state::text, 'none') AS state
FROM jobs j LEFT JOIN batches b USING (batch_id)
WHERE j.state = 'BATCHED' AND j.changed_at < now() - interval '2 minutes' AND (b.batch_id IS NULL OR b.state IN ('imported', 'failed')
	OR NOT EXISTS (SELECT FROM attempts a WHERE a.batch_id = j.batch_id AND a.job_id = j.job_id AND a.epoch = j.epoch))
