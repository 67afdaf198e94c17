-- Every adjustment adjusts something: its attempt has a charge or an unknown.
SELECT a.attempt_id::text AS attempt, a.job_id::text AS job, a.amount::text AS pico
FROM ledger a
WHERE a.kind = 'adjustment'
	AND NOT EXISTS (SELECT FROM ledger l WHERE l.attempt_id = a.attempt_id AND l.kind IN ('charge', 'unknown'))
