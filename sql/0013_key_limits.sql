-- What keys of the REST shim may use, for all processes together: each takes chunks from these rows, at most a second's
-- worth more than it needs just now. A level refills by this clock up to a minute's worth; what is taken is never returned.
ALTER TABLE api_keys ADD tokens_per_minute bigint CHECK (tokens_per_minute > 0);
COMMENT ON COLUMN api_keys.tokens_per_minute IS 'Tokens of the prompts of jobs, as they are quoted.';

CREATE TABLE api_allowances (
	key_id   text NOT NULL,
	unit     text NOT NULL CHECK (unit IN ('requests', 'tokens')),
	level    double precision NOT NULL,
	level_at timestamptz NOT NULL,
	PRIMARY KEY (key_id, unit)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE api_allowances IS 'How much of their limits keys of the REST shim have left.';

-- One round trip for all keys that a process needs. Per key and unit: what was used already, come what may; the least that
-- is of use, given as soon as anything is left, so that what is larger than a minute's worth has its turn and the level
-- recovers; and the most. Comes back in that order: what is given, what is left then. No row: no limit.
CREATE FUNCTION key_turn(ids text[], units text[], useds double precision[], needs double precision[], wants double precision[])
RETURNS TABLE (place integer, granted double precision, level double precision) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	ask record;
	cap double precision;
	have double precision;
	give double precision;
BEGIN
	FOR ask IN SELECT * FROM unnest(ids, units, useds, needs, wants) WITH ORDINALITY AS t(id, unit, used, need, want, n)
		ORDER BY id, unit
	LOOP
		SELECT CASE ask.unit WHEN 'tokens' THEN tokens_per_minute ELSE requests_per_minute END INTO cap
		FROM api_keys WHERE key_id = ask.id;
		CONTINUE WHEN cap IS NULL;
		INSERT INTO api_allowances VALUES (ask.id, ask.unit, cap, clock_timestamp()) ON CONFLICT DO NOTHING;
		SELECT least(cap, a.level + cap / 60 * greatest(0, extract(epoch FROM clock_timestamp() - a.level_at))) - ask.used
		INTO have FROM api_allowances a WHERE a.key_id = ask.id AND a.unit = ask.unit FOR UPDATE;
		give := CASE WHEN have < 1 THEN 0 ELSE greatest(ask.need, least(ask.want, floor(have))) END;
		UPDATE api_allowances a SET level = have - give, level_at = clock_timestamp()
		WHERE a.key_id = ask.id AND a.unit = ask.unit;
		place := ask.n;
		granted := give;
		level := have - give;
		RETURN NEXT;
	END LOOP;
END $$;

REVOKE EXECUTE ON FUNCTION key_turn(text[], text[], double precision[], double precision[], double precision[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_turn(text[], text[], double precision[], double precision[], double precision[]) TO sluice_api;
GRANT SELECT, INSERT, UPDATE ON api_allowances TO sluice_api;
