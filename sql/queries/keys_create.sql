-- A new key. $1 id, $2 digest, $3 name, $4 business units, $5 rights, $6 requests and $7 tokens a minute (0: no limit),
-- $8 feature of its batches
INSERT INTO api_keys (key_id, digest, name, business_units, rights, requests_per_minute, tokens_per_minute, feature)
VALUES ($1, $2, $3, $4, $5, nullif($6::int8, 0)::int, nullif($7::int8, 0), $8)
