-- Owe webhooks again. $1 event ids, or ids of jobs
WITH wanted AS MATERIALIZED (
	SELECT event_id FROM webhook_log WHERE event_id = ANY ($1::uuid[]) OR job_id = ANY ($1::uuid[])
	UNION SELECT event_id FROM outbox WHERE kind = 'webhook' AND (event_id = ANY ($1::uuid[]) OR job_id = ANY ($1::uuid[]))
)
SELECT event_id::text AS event FROM wanted WHERE webhook_resend(event_id)
