-- Every answer that a model gave was paid for, in the same run.
SELECT r.job_id::text AS job, r.run::text AS run, r.provider, r.model
FROM results r
WHERE r.outcome = 'DONE' AND r.provider <> '' AND r.reason <> 'cached'
	AND NOT EXISTS (SELECT FROM ledger l WHERE l.job_id = r.job_id AND l.run = r.run AND l.kind IN ('charge', 'unknown'))
