-- Owe a rejected message to its topic again, with its bytes. $1 topic, $2 partition, $3 offset, $4 event id
INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
SELECT $4::uuid, coalesce(job_id, $4::uuid), 'move', topic, '', '', body, now()
FROM rejects WHERE topic = $1 AND partition_no = $2 AND offset_no = $3
