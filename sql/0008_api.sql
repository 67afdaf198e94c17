-- Who may use the REST shim. A key is shown once, when it is made; what is kept is its SHA-256.
CREATE TABLE api_keys (
	key_id              text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{12}$'),
	digest              bytea NOT NULL CHECK (octet_length(digest) = 32),
	name                text NOT NULL,
	business_units      text[] NOT NULL CHECK (cardinality(business_units) BETWEEN 1 AND 64),
	rights              text[] NOT NULL CHECK (rights <@ ARRAY['submit', 'read', 'costs', 'operate']),
	requests_per_minute integer CHECK (requests_per_minute > 0),
	created_at          timestamptz NOT NULL DEFAULT now(),
	revoked_at          timestamptz
);
COMMENT ON TABLE api_keys IS 'Keys of the REST shim: hashed, never to be shown again.';
COMMENT ON COLUMN api_keys.business_units IS 'The units a key sees and submits for; * is all of them.';

GRANT SELECT ON api_keys TO sluice_api;
GRANT DELETE, UPDATE ON outbox TO sluice_api;
GRANT SELECT ON outbox TO sluice_api;

-- What waits in Kafka or on its way there: for positions and estimates. Rows of the happy path never enter it.
CREATE INDEX jobs_queued ON jobs (tier, lane, job_id) WHERE state = 'QUEUED';
