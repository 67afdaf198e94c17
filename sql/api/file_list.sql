-- Files that a key may see, by their age. $1 units it sees (null: all), $2 key, $3 purpose (null: any), $4 oldest first,
-- $5 behind this one (null: from the first), $6 most
SELECT file_id, bytes, created_at, expires_at, filename, purpose FROM api_files
WHERE ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2) AND deleted_at IS NULL AND expires_at > now()
	AND ($3::text IS NULL OR purpose = $3) AND ($5::uuid IS NULL OR CASE WHEN $4::bool THEN file_id > $5 ELSE file_id < $5 END)
ORDER BY CASE WHEN $4 THEN file_id END, CASE WHEN NOT $4 THEN file_id END DESC LIMIT $6::int8
