-- Write the intent of calls for jobs that are already ours. Only what comes back may be sent.
--  $1 owner; per attempt: $2 job id, $3 epoch, $4 attempt id, $5 provider, $6 model, $7 credential, $8 bound, $9 tier, $10 day
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int8[], $9::text[],
		$10::int[])
	AS t(job_id, epoch, attempt_id, provider, model, credential, bound, tier, day_no)
), held AS (
	SELECT j.job_id, j.run, j.hop, j.lane FROM jobs j JOIN input i USING (job_id)
	WHERE j.epoch = i.epoch AND j.owner = $1 AND j.state = 'CLAIMED' AND NOT j.cancel_requested
	ORDER BY j.job_id FOR SHARE OF j
)
INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, lane, worker_id, bound, provider, model, credential, tier, mode)
SELECT date '2000-01-01' + i.day_no, i.attempt_id, h.job_id, h.run, h.hop, i.epoch, h.lane, $1, i.bound, i.provider, i.model, i.credential, i.tier, 'sync'
FROM held h JOIN input i USING (job_id)
ON CONFLICT (day, attempt_id) DO UPDATE SET state = attempts.state -- sent again after a lost answer
RETURNING attempt_id
