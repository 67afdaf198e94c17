-- Of jobs that are locked: those nobody holds become ours, to be settled in the same transaction; whoever holds the
-- others, or takes them next, ends them. $1 ours, $2 us, $3 the others
WITH ours AS (
	UPDATE jobs SET state = 'CLAIMED', owner = $2, claim_id = NULL, epoch = epoch + 1, due = NULL, reason = NULL,
		cancel_requested = true, changed_at = now()
	WHERE job_id = ANY ($1::uuid[])
)
UPDATE jobs SET cancel_requested = true, changed_at = now(), due = CASE WHEN state = 'PARKED' THEN now() ELSE due END,
	reason = CASE WHEN state = 'PARKED' THEN 'cancel' ELSE reason END
WHERE job_id = ANY ($3::uuid[])
