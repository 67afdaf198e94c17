-- Jobs that are ours join batches that are ours and still building; the intent of each line is written with it.
--  $1 owner; per line: $2 job id, $3 epoch, $4 attempt id, $5 provider, $6 model, $7 credential, $8 bound, $9 tier, $10 day,
--  $11 batch, $12 when to rescue the job
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int8[], $9::text[],
		$10::int[], $11::uuid[], $12::timestamptz[])
	AS t(job_id, epoch, attempt_id, provider, model, credential, bound, tier, day_no, batch_id, rescue_at)
), open AS MATERIALIZED (
	SELECT batch_id FROM batches WHERE batch_id = ANY ($11::uuid[]) AND state = 'building' AND owner = $1 AND lease_until > now()
	ORDER BY batch_id FOR SHARE
), held AS MATERIALIZED (
	SELECT j.job_id, j.run, j.hop, j.lane FROM jobs j JOIN input i USING (job_id) JOIN open o ON o.batch_id = i.batch_id
	WHERE j.epoch = i.epoch AND j.owner = $1 AND j.state = 'CLAIMED' AND NOT j.cancel_requested
	ORDER BY j.job_id FOR UPDATE OF j
), intent AS (
	INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, lane, worker_id, batch_id, bound, provider, model, credential,
		tier, mode)
	SELECT date '2000-01-01' + i.day_no, i.attempt_id, h.job_id, h.run, h.hop, i.epoch, h.lane, $1, i.batch_id, i.bound,
		i.provider, i.model, i.credential, i.tier, 'batch'
	FROM held h JOIN input i USING (job_id)
)
UPDATE jobs j SET state = 'BATCHED', batch_id = i.batch_id, owner = NULL, due = i.rescue_at, reason = NULL, changed_at = now()
FROM held h JOIN input i USING (job_id) WHERE j.job_id = h.job_id
RETURNING j.job_id
