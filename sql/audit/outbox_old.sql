-- No debt to the outside is older than ten minutes (webhooks: three days).
SELECT event_id::text AS event, job_id::text AS job, kind, topic, tries::text,
	extract(epoch FROM now() - created_at)::int8::text AS "age s"
FROM outbox
WHERE created_at < now() - CASE WHEN kind = 'webhook' THEN interval '3 days' ELSE interval '10 minutes' END
