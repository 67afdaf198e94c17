-- A create is about to leave: from here on it is looked for before another one may, where need be by how many lines it has.
-- $1 batch, $2 owner, $3 fence, $4 lines and $5 bytes that were written
UPDATE batches SET state = 'uploaded', create_intended_at = now(), creates = creates + 1, looks = 0, lines = $4, bytes = $5
WHERE batch_id = $1 AND owner = $2 AND fence = $3 AND create_intended_at IS NULL AND state IN ('intended', 'uploaded')
RETURNING create_intended_at
