-- Every line is settled: the batch is closed with the sum of its rows. $1 batch, $2 owner, $3 fence
WITH mine AS (
	SELECT batch_id FROM batches WHERE batch_id = $1 AND owner = $2 AND fence = $3 AND state = 'ended'
		AND NOT EXISTS (SELECT FROM attempts a WHERE a.batch_id = $1 AND a.state = 'sent')
	FOR UPDATE
), stray AS (
	SELECT j.job_id FROM jobs j JOIN mine m ON j.batch_id = m.batch_id WHERE j.state = 'BATCHED' ORDER BY j.job_id FOR UPDATE OF j
), parked AS ( -- cancelled while they were settled, as a rule: whoever pulls them ends them
	UPDATE jobs j SET state = 'PARKED', reason = 'batch_closed', due = now(), changed_at = now() FROM stray s
	WHERE j.job_id = s.job_id RETURNING j.job_id
)
UPDATE batches b SET state = 'imported', closed_at = now(), owner = NULL, lease_until = NULL, cost = coalesce(c.amount, 0),
	saved = c.in_sync - c.charged
FROM mine m CROSS JOIN LATERAL batch_money(m.batch_id) c WHERE b.batch_id = m.batch_id
RETURNING b.cost::text, (SELECT count(*)::int FROM parked) AS strays
