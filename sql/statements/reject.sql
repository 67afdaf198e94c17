-- Messages that are no job: kept with their bytes, and their dead letter owed, at once: nobody sends it by hand.
--  per message: $1 topic, $2 partition, $3 offset, $4 job id or null, $5 reason, $6 detail, $7 body;
--  per dead letter: $8 event id, $9 its topic, $10 key, $11 headers, $12 body, $13 job id or the event's own.
WITH kept AS (
	INSERT INTO rejects (topic, partition_no, offset_no, job_id, reason, detail, body)
	SELECT * FROM unnest($1::text[], $2::int[], $3::int8[], $4::uuid[], $5::text[], $6::text[], $7::bytea[])
	ON CONFLICT DO NOTHING
)
INSERT INTO outbox (event_id, topic, key, headers, body, job_id, kind, next_try)
SELECT event_id, topic, key, headers, body, job_id, 'reject', now()
FROM unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::uuid[]) AS t(event_id, topic, key, headers, body, job_id)
ON CONFLICT DO NOTHING
