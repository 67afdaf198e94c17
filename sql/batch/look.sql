-- Looked, and nothing changed: once more later. $1 batch, $2 owner, $3 fence, $4 in seconds, $5 whole looks through the
-- provider's list, $6 tries that failed
UPDATE batches SET look_at = now() + make_interval(secs => $4), looks = looks + $5, tries = tries + $6
WHERE batch_id = $1 AND owner = $2 AND fence = $3
RETURNING looks, tries, cancel_requested,
	extract(epoch FROM now() - create_intended_at)::float8 AS unknown_s, state::text
