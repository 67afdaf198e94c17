-- No money was spent that an attempt had not announced (as far back as attempts are kept).
SELECT l.attempt_id::text AS attempt, l.job_id::text AS job, l.kind::text, l.amount::text AS pico
FROM ledger l
WHERE l.sent_at >= (SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD')) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'attempts'::regclass)
	AND NOT EXISTS (SELECT FROM attempts a WHERE a.attempt_id = l.attempt_id AND (a.job_id = l.job_id OR l.kind = 'share'))
