-- Ask for the end of jobs: whoever holds or takes them next ends them. A job that nobody has seen gets a tombstone,
-- so that its message drops when it comes. $1 job ids; a row per id: what stood there, null where nothing did.
WITH wanted AS MATERIALIZED (
	SELECT DISTINCT job_id FROM unnest($1::uuid[]) AS w(job_id)
), standing AS MATERIALIZED (
	SELECT j.job_id, j.state FROM jobs j JOIN wanted USING (job_id) ORDER BY j.job_id FOR UPDATE OF j
), asked AS (
	UPDATE jobs j SET cancel_requested = true, changed_at = now(),
		due = CASE WHEN j.state = 'PARKED' THEN now() ELSE j.due END,
		reason = CASE WHEN j.state = 'PARKED' THEN 'cancel' ELSE j.reason END,
		waits = CASE WHEN j.state = 'PARKED' THEN wait_over(j.waits, j.reason, j.changed_at) ELSE j.waits END
	FROM standing s WHERE j.job_id = s.job_id AND s.state NOT IN ('DONE', 'DEAD', 'CANCELLED')
	RETURNING j.job_id
), buried AS (
	INSERT INTO tombstones (job_id, run, hop, state, fingerprint)
	SELECT w.job_id, 0, 0, 'CANCELLED', '' FROM wanted w WHERE NOT EXISTS (SELECT FROM standing s WHERE s.job_id = w.job_id)
	ON CONFLICT (job_id) DO NOTHING RETURNING job_id
)
SELECT w.job_id, lower(coalesce(s.state, t.state)::text) AS stood, a.job_id IS NOT NULL AS asked, b.job_id IS NOT NULL AS buried
FROM wanted w LEFT JOIN standing s USING (job_id) LEFT JOIN asked a USING (job_id) LEFT JOIN buried b USING (job_id)
LEFT JOIN tombstones t USING (job_id)
ORDER BY w.job_id
