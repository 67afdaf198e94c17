-- No attempt was booked twice: one charge or one unknown, never both.
SELECT attempt_id::text AS attempt, job_id::text AS job, string_agg(kind::text, ', ' ORDER BY kind) AS booked
FROM ledger WHERE kind IN ('charge', 'unknown')
GROUP BY attempt_id, job_id HAVING count(*) > 1
