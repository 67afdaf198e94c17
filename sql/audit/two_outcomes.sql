-- No run of a job has two outcomes, and the outcome is the state its job ended in.
SELECT r.job_id::text AS job, r.run::text AS run, string_agg(lower(r.outcome::text), ', ') AS outcomes, count(*)::text AS times
FROM results r GROUP BY r.job_id, r.run HAVING count(*) > 1
UNION ALL
SELECT r.job_id::text, r.run::text, lower(r.outcome::text) || ', but the job is ' || lower(j.state::text), '1'
FROM jobs j JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
WHERE j.state <> r.outcome
