-- Claim a group of messages: insert the rows of new jobs or take over queued ones, store payloads, and
-- write the intent of those that start at once. One transaction; deduplicated and sorted by the caller.
--  $1 owner, $2 claim id, then a column per field. Full envelopes insert, thin ones take over. One with a batch joins it,
--  if it is ours and still building, and `due` is when it is to be rescued out of it.
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($3::uuid[], $4::int[], $5::int[], $6::bool[], $7::text[], $8::text[], $9::bytea[], $10::bytea[],
		$11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::text[], $17::text[], $18::text[],
		$19::text[], $20::text[], $21::text[], $22::text[],
		$23::uuid[], $24::text[], $25::text[], $26::text[], $27::int8[], $28::text[], $29::uuid[])
	AS t(job_id, run, hop, thin, tier, lane, fingerprint, body, headers, park_reason, due, free_plan, business_unit,
		feature, environment, usage_tier, user_name, task, prompt_name, prompt_version,
		attempt_id, provider, model, credential, bound, attempt_tier, batch_id)
), open AS MATERIALIZED (
	SELECT batch_id FROM batches WHERE batch_id = ANY ($29::uuid[]) AND state = 'building' AND owner = $1 AND lease_until > now()
	ORDER BY batch_id FOR SHARE
), placed AS (
	SELECT i.*, o.batch_id AS joined, CASE WHEN park_reason IS NOT NULL THEN 'PARKED' WHEN i.batch_id IS NULL THEN 'CLAIMED'
		WHEN o.batch_id IS NULL THEN 'PARKED' ELSE 'BATCHED' END::job_state AS state
	FROM input i LEFT JOIN open o ON o.batch_id = i.batch_id
), inserted AS (
	INSERT INTO jobs (job_id, state, run, hop, epoch, tier, lane, free_plan, business_unit, owner, claim_id, due, reason, day, fingerprint,
		batch_id)
	SELECT job_id, state, run, hop, 1, tier, lane::lane, free_plan, business_unit, CASE WHEN state = 'CLAIMED' THEN $1::uuid END, $2::uuid,
		CASE WHEN batch_id IS NOT NULL AND state = 'PARKED' THEN now()
			ELSE coalesce(due, CASE WHEN state = 'PARKED' THEN now() END) END,
		coalesce(park_reason, CASE WHEN state = 'PARKED' THEN 'batch_closed' END), today(), fingerprint, joined
	FROM placed i
	WHERE NOT thin AND NOT EXISTS (SELECT FROM tombstones t WHERE t.job_id = i.job_id)
	ORDER BY job_id
	ON CONFLICT (job_id) DO NOTHING
	RETURNING job_id, state, run, hop, epoch, day
), stored AS (
	INSERT INTO payloads (day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task,
		prompt_name, prompt_version, headers, body)
	SELECT n.day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task, prompt_name,
		prompt_version, headers, body
	FROM inserted n JOIN input USING (job_id)
), intent AS (
	INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, lane, worker_id, batch_id, bound, provider, model, credential,
		tier, mode)
	SELECT n.day, attempt_id, job_id, n.run, n.hop, n.epoch, lane::lane, $1::uuid, batch_id, bound, provider, model, credential,
		attempt_tier, CASE WHEN batch_id IS NULL THEN 'sync' ELSE 'batch' END
	FROM inserted n JOIN input USING (job_id)
	WHERE attempt_id IS NOT NULL AND n.state IN ('CLAIMED', 'BATCHED')
), queued AS (
	SELECT j.job_id, i.park_reason, i.due, i.tier, i.lane FROM jobs j JOIN input i USING (job_id)
	WHERE i.thin AND j.state = 'QUEUED' AND j.run = i.run AND j.hop = i.hop
	ORDER BY j.job_id FOR UPDATE OF j
), taken AS (
	UPDATE jobs j SET state = CASE WHEN q.park_reason IS NULL THEN 'CLAIMED' ELSE 'PARKED' END::job_state, epoch = j.epoch + 1,
		tier = q.tier, lane = q.lane::lane, owner = CASE WHEN q.park_reason IS NULL THEN $1::uuid END, claim_id = $2::uuid,
		due = coalesce(q.due, CASE WHEN q.park_reason IS NOT NULL THEN now() END), reason = q.park_reason, changed_at = now(),
		waits = CASE WHEN j.changed_at < now() - interval '1 s' THEN wait_over(j.waits, 'queued', j.changed_at) ELSE j.waits END
	FROM queued q WHERE j.job_id = q.job_id
	RETURNING j.job_id, j.state, j.run, j.hop, j.epoch, j.day, j.tier, j.lane, j.progress, j.crash_count, j.cancel_requested
)
SELECT job_id, state::text, run, hop, epoch, day - date '2000-01-01' AS day, NULL::text AS tier, NULL::text AS lane,
	NULL::text AS progress, 0 AS crash_count, false AS cancel_requested, NULL::bytea AS body, NULL::text AS headers
FROM inserted
UNION ALL
SELECT t.job_id, t.state::text, t.run, t.hop, t.epoch, t.day - date '2000-01-01', t.tier, t.lane::text,
	t.progress, t.crash_count, t.cancel_requested, p.body, p.headers
FROM taken t LEFT JOIN payloads p ON p.day = t.day AND p.job_id = t.job_id
