-- Ask for the end of a job: whoever holds or takes it next ends it. $1 job id; no row: it has ended or is not known.
UPDATE jobs j SET cancel_requested = true, changed_at = now(),
	due = CASE WHEN j.state = 'PARKED' THEN now() ELSE j.due END,
	reason = CASE WHEN j.state = 'PARKED' THEN 'cancel' ELSE j.reason END,
	waits = CASE WHEN j.state = 'PARKED' THEN wait_over(j.waits, j.reason, j.changed_at) ELSE j.waits END
WHERE j.job_id = $1 AND j.state NOT IN ('DONE', 'DEAD', 'CANCELLED')
RETURNING j.job_id
