-- Accept jobs: the row is QUEUED and the message that moves it is owed, in one transaction. Those that stand already are
-- left as they are; what stands is asked afterwards. Safe to send again.
--  per job: $1 id, $2 tier, $3 lane, $4 fingerprint, $5 business unit, $6 free plan, $7 feature, $8 environment, $9 usage tier,
--   $10 user, $11 task, $12 prompt name, $13 prompt version, $14 headers, $15 body;
--  its message: $16 event id, $17 topic, $18 key, $19 headers, $20 body
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bool[], $7::text[], $8::text[], $9::text[],
		$10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bytea[], $16::uuid[], $17::text[], $18::text[],
		$19::text[], $20::bytea[])
	AS t(job_id, tier, lane, fingerprint, business_unit, free_plan, feature, environment, usage_tier, user_name, task, prompt_name,
		prompt_version, headers, body, event_id, topic, key, message_headers, message)
), inserted AS (
	INSERT INTO jobs (job_id, state, run, hop, epoch, tier, lane, free_plan, business_unit, day, fingerprint)
	SELECT job_id, 'QUEUED', 0, 0, 0, tier, lane::lane, free_plan, business_unit, today(), fingerprint
	FROM input i
	WHERE NOT EXISTS (SELECT FROM tombstones t WHERE t.job_id = i.job_id)
	ORDER BY job_id
	ON CONFLICT (job_id) DO NOTHING
	RETURNING job_id, day
), stored AS (
	INSERT INTO payloads (day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task,
		prompt_name, prompt_version, headers, body)
	SELECT n.day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task, prompt_name,
		prompt_version, headers, body
	FROM inserted n JOIN input USING (job_id)
), owed AS (
	INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
	SELECT event_id, job_id, 'move', topic, key, message_headers, message, now() + interval '20 s'
	FROM inserted JOIN input USING (job_id)
	ON CONFLICT (event_id) DO NOTHING
)
SELECT job_id FROM inserted
