-- Write the intent of calls for jobs that are already ours. Only what comes back may be sent.
--  $1 owner; per attempt: $2 job id, $3 epoch, $4 attempt id, $5 provider, $6 model, $7 credential, $8 bound, $9 tier, $10 day,
--   $14 ms that the job lay with us before and $15 what for, where that is to be told;
--  per balance an attempt takes from: $11 attempt id, $12 lease, $13 amount. An attempt whose lease is gone or too small is not written.
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int8[], $9::text[],
		$10::int[], $14::int[], $15::text[])
	AS t(job_id, epoch, attempt_id, provider, model, credential, bound, tier, day_no, waited_ms, waited_for)
), held AS (
	SELECT j.job_id, j.run, j.hop, j.lane FROM jobs j JOIN input i USING (job_id)
	WHERE j.epoch = i.epoch AND j.owner = $1 AND j.state = 'CLAIMED' AND NOT j.cancel_requested
	ORDER BY j.job_id FOR SHARE OF j
), takes AS MATERIALIZED (
	SELECT t.attempt_id, t.lease_id, t.amount FROM unnest($11::uuid[], $12::uuid[], $13::int8[]) AS t(attempt_id, lease_id, amount)
	JOIN input i USING (attempt_id) JOIN held h USING (job_id)
	WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.attempt_id = t.attempt_id)
), rooms AS MATERIALIZED (
	SELECT lease_id, allowance_id, unit, granted - spent AS room FROM leases WHERE lease_id IN (SELECT lease_id FROM takes)
	ORDER BY allowance_id FOR UPDATE
), fits AS MATERIALIZED (
	SELECT attempt_id, bool_and(coalesce(taken <= room, false)) AS all_fit FROM (
		SELECT t.attempt_id, r.room, sum(t.amount) OVER (PARTITION BY t.lease_id ORDER BY t.attempt_id) AS taken
		FROM takes t LEFT JOIN rooms r USING (lease_id)) s
	GROUP BY attempt_id
), reserved AS (
	INSERT INTO reservations (attempt_id, allowance_id, lease_id, unit, amount)
	SELECT t.attempt_id, r.allowance_id, t.lease_id, r.unit, t.amount
	FROM takes t JOIN fits f USING (attempt_id) JOIN rooms r USING (lease_id) WHERE f.all_fit
	RETURNING lease_id, amount
), spent AS (
	UPDATE leases l SET spent = l.spent + s.amount
	FROM (SELECT lease_id, sum(amount) AS amount FROM reserved GROUP BY lease_id) s WHERE l.lease_id = s.lease_id
)
INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, lane, worker_id, bound, provider, model, credential, tier, mode,
	waited_ms, waited_for)
SELECT date '2000-01-01' + i.day_no, i.attempt_id, h.job_id, h.run, h.hop, i.epoch, h.lane, $1, i.bound, i.provider, i.model, i.credential, i.tier, 'sync',
	i.waited_ms, i.waited_for
FROM held h JOIN input i USING (job_id) LEFT JOIN fits f USING (attempt_id)
WHERE f.all_fit IS NOT FALSE
ON CONFLICT (day, attempt_id) DO UPDATE SET state = attempts.state -- sent again after a lost answer
RETURNING attempt_id
