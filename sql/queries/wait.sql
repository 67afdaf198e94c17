-- Which of these jobs have ended, how, and what all their runs cost. $1 job ids
SELECT w.job_id, lower(coalesce(j.state, t.state)::text) AS outcome, coalesce(r.reason, j.reason, '') AS reason,
	coalesce(r.model, '') AS model, coalesce(c.amount, 0)::float8 AS pico, coalesce(trim_scale(c.amount / 1e12)::text, '') AS usd
FROM unnest($1::uuid[]) AS w(job_id)
LEFT JOIN jobs j ON j.job_id = w.job_id
LEFT JOIN tombstones t ON t.job_id = w.job_id AND j.job_id IS NULL
LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM ledger l WHERE l.job_id = w.job_id) c ON true
WHERE coalesce(j.state, t.state) IN ('DONE', 'DEAD', 'CANCELLED')
