-- Lines up to here are settled. $1 batch, $2 owner, $3 fence, $4 file, $5 bytes, $6 foreign lines, $7 repeated ones, $8 missing ones
UPDATE batches SET import_file = $4::smallint, cursor = $5, foreign_lines = foreign_lines + $6, repeated_lines = repeated_lines + $7,
	missing_lines = missing_lines + $8
WHERE batch_id = $1 AND owner = $2 AND fence = $3 AND state = 'ended'
RETURNING batch_id
