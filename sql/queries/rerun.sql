-- Turn ended jobs to QUEUED with a new run, their message owed.
--  $1 job ids, $2 runs, $3 tiers, $4 event ids, $5 topics, $6 keys, $7 headers, $8 messages
WITH input AS MATERIALIZED (
	SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bytea[])
	AS t(job_id, run, tier, event_id, topic, key, headers, body)
), queued AS (
	UPDATE jobs j SET state = 'QUEUED', run = i.run, hop = 0, epoch = j.epoch + 1, tier = i.tier, crash_count = 0,
		cancel_requested = false, due = NULL, owner = NULL, claim_id = NULL, reason = 'rerun', progress = NULL, changed_at = now()
	FROM input i WHERE j.job_id = i.job_id AND j.run = i.run - 1 AND j.state IN ('DONE', 'DEAD', 'CANCELLED')
	RETURNING j.job_id
)
INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
SELECT i.event_id, i.job_id, 'move', i.topic, i.key, i.headers, i.body, now() FROM input i JOIN queued USING (job_id)
ON CONFLICT (event_id) DO NOTHING
