-- Jobs of the next lines are to end: they will not succeed any more, and those that are none yet never become any.
-- held 0: the turn is over; no line: that was all. $1 batch, $2 turn, $3 behind this line, $4 most lines
WITH held AS (
	UPDATE api_batches SET look_at = now() + interval '15 s' WHERE batch_id = $1 AND turn = $2 AND step = 'cancel' RETURNING batch_id
), page AS MATERIALIZED (
	SELECT l.line, l.job_id FROM held h JOIN api_batch_lines l ON l.batch_id = h.batch_id WHERE l.line > $3 ORDER BY l.line LIMIT $4::int4
), standing AS MATERIALIZED (
	SELECT j.job_id, j.state FROM jobs j JOIN page p ON p.job_id = j.job_id ORDER BY j.job_id FOR UPDATE OF j
), asked AS (
	UPDATE jobs j SET cancel_requested = true, changed_at = now(),
		due = CASE WHEN j.state = 'PARKED' THEN now() ELSE j.due END,
		reason = CASE WHEN j.state = 'PARKED' THEN 'cancel' ELSE j.reason END,
		waits = CASE WHEN j.state = 'PARKED' THEN wait_over(j.waits, j.reason, j.changed_at) ELSE j.waits END
	FROM standing s WHERE j.job_id = s.job_id AND s.state NOT IN ('DONE', 'DEAD', 'CANCELLED')
), buried AS (
	INSERT INTO tombstones (job_id, run, hop, state, fingerprint)
	SELECT p.job_id, 0, 0, 'CANCELLED', '' FROM page p WHERE NOT EXISTS (SELECT FROM standing s WHERE s.job_id = p.job_id)
	ON CONFLICT (job_id) DO NOTHING
)
SELECT (SELECT count(*)::int FROM held) AS held, (SELECT max(line) FROM page) AS line
