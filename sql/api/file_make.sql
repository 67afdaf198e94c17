-- All pieces are there: now the file is. $1 id, $2 business unit, $3 key, $4 purpose, $5 name, $6 bytes, $7 seconds it is kept
INSERT INTO api_files (file_id, business_unit, key_id, purpose, filename, bytes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7::int8))
ON CONFLICT (file_id) DO UPDATE SET bytes = excluded.bytes
RETURNING file_id, bytes, created_at, expires_at, filename, purpose
