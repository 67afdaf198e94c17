-- The keys, those in force first.
SELECT key_id AS key, name, array_to_string(business_units, ', ') AS units, array_to_string(rights, ', ') AS rights,
	coalesce(requests_per_minute::text, '') AS "per minute#", coalesce(tokens_per_minute::text, '') AS "tokens#",
	to_char(created_at, 'YYYY-MM-DD HH24:MI:SS') AS created,
	coalesce(to_char(revoked_at, 'YYYY-MM-DD HH24:MI:SS'), '') AS revoked
FROM api_keys ORDER BY revoked_at IS NOT NULL, created_at
