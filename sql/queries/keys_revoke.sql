-- Revoke keys that are in force. $1 their ids
UPDATE api_keys SET revoked_at = now() WHERE key_id = ANY ($1::text[]) AND revoked_at IS NULL
RETURNING key_id AS key, name, 'revoked'::text AS now
