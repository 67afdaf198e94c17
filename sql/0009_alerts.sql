-- Alerts of every kind: budgets (0006_allowances.sql), breakers, anomalies of spending. Each is told once: who raises it
-- names what it is about and a key that changes when it may be raised again (an hour, a day, an opening).

ALTER TABLE alerts
	ALTER COLUMN allowance_id DROP NOT NULL,
	ALTER COLUMN period_start DROP NOT NULL,
	ALTER COLUMN threshold DROP NOT NULL,
	ALTER COLUMN charged DROP NOT NULL,
	ALTER COLUMN reserved DROP NOT NULL,
	ALTER COLUMN cap DROP NOT NULL,
	ADD COLUMN kind text NOT NULL DEFAULT 'budget',
	ADD COLUMN subject text NOT NULL DEFAULT '',
	ADD COLUMN key text,
	ADD COLUMN detail jsonb NOT NULL DEFAULT '{}',
	ADD COLUMN posted_at timestamptz,
	ADD CONSTRAINT once_per_key UNIQUE (kind, subject, key),
	ADD CONSTRAINT budget_or_key CHECK (CASE WHEN kind = 'budget' THEN allowance_id IS NOT NULL AND key IS NULL
		ELSE key IS NOT NULL END);
CREATE INDEX alerts_to_post ON alerts (at) WHERE posted_at IS NULL;
COMMENT ON COLUMN alerts.kind IS 'budget, breaker, hour, burst, request, share …';
COMMENT ON COLUMN alerts.subject IS 'What it is about: a business unit, a feature, a credential.';
COMMENT ON COLUMN alerts.key IS 'The same kind, subject and key is raised once: the hour, the day, the opening.';
COMMENT ON COLUMN alerts.posted_at IS 'When it was owed to the alerts'' webhook; NULL: not yet, or there was none.';

-- Raise an alert, once: true if it is new. The detail holds figures and ids; never prompts, outputs or keys.
--	SELECT alert('breaker', 'openai/main', opened_at::text, '{"why": "401 invalid_api_key"}');
CREATE FUNCTION alert(new_kind text, new_subject text, new_key text, new_detail jsonb) RETURNS boolean
LANGUAGE sql AS $$
	WITH raised AS (
		INSERT INTO alerts (kind, subject, key, detail) VALUES (new_kind, new_subject, new_key, new_detail)
		ON CONFLICT (kind, subject, key) DO NOTHING RETURNING 1
	)
	SELECT EXISTS (SELECT FROM raised)
$$;

REVOKE EXECUTE ON FUNCTION alert(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alert(text, text, text, jsonb) TO sluice_worker, sluice_api;
GRANT INSERT ON alerts TO sluice_api;
GRANT SELECT ON alerts TO sluice_analyst;
