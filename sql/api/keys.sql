-- Every key that is in force, by its id.
SELECT key_id, digest, name, array_to_json(business_units)::text AS business_units, array_to_json(rights)::text AS rights,
	coalesce(requests_per_minute, 0) AS requests_per_minute, coalesce(tokens_per_minute, 0) AS tokens_per_minute,
	feature
FROM api_keys WHERE revoked_at IS NULL ORDER BY key_id LIMIT 10000
