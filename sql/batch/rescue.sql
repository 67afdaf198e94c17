-- To the normal lane: hop + 1, the epoch stays, so that an accepted line still wins until the sync claim.
--  $1 job id, $2 hop, $3 event id, $4 topic, $5 key, $6 headers, $7 message, $8 reason
WITH moved AS (
	UPDATE jobs j SET state = 'QUEUED', hop = t.hop, lane = 'normal', reason = $8, due = NULL, changed_at = now()
	FROM unnest($1::uuid[], $2::int[]) AS t(job_id, hop) WHERE j.job_id = t.job_id AND j.state = 'BATCHED'
	RETURNING j.job_id, j.batch_id
), counted AS (
	UPDATE batches b SET rescued = b.rescued + n.count
	FROM (SELECT batch_id, count(*)::int AS count FROM moved GROUP BY 1) n WHERE b.batch_id = n.batch_id
)
INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
SELECT t.event_id, t.job_id, 'move', t.topic, t.key, t.headers, t.body, now() + interval '20 s'
FROM unnest($1::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bytea[]) AS t(job_id, event_id, topic, key, headers, body)
JOIN moved m ON m.job_id = t.job_id
ON CONFLICT (event_id) DO NOTHING
