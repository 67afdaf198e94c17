-- A file, for a key that may see it. $1 units it sees (null: all), $2 key, $3 file id
SELECT file_id, bytes, created_at, expires_at, filename, purpose FROM api_files
WHERE file_id = $3 AND ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2) AND deleted_at IS NULL AND expires_at > now()
