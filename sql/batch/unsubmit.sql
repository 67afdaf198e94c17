-- The create surely made nothing, or what it made has failed: another may leave, of the same file where there is one.
-- $1 batch, $2 owner, $3 fence, $4 reason, $5 detail, $6 the look after, in seconds
UPDATE batches SET create_intended_at = NULL, provider_batch_id = NULL, provider_status = NULL, reason = $4, detail = $5,
	state = CASE WHEN file_id IS NULL THEN 'intended' ELSE 'uploaded' END::batch_state, tries = tries + 1, looks = 0,
	look_at = now() + make_interval(secs => $6)
WHERE batch_id = $1 AND owner = $2 AND fence = $3
RETURNING tries
