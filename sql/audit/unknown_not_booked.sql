-- Every attempt whose answer was lost stands in the ledger at its upper bound.
SELECT a.attempt_id::text AS attempt, a.job_id::text AS job, a.bound::text AS pico, a.provider, a.model
FROM attempts a
WHERE a.state = 'unknown'
	AND NOT EXISTS (SELECT FROM ledger l WHERE l.attempt_id = a.attempt_id AND l.kind = 'unknown'
		AND l.amount IS NOT DISTINCT FROM a.bound)
