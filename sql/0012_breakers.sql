-- What the fleet does not call now, because one worker found that it fails: a model of a provider, or a credential (model is
-- ''). A row is an open breaker. Workers read and write them in their turns; one at a time has the grant to probe.
CREATE TABLE breakers (
	provider    text NOT NULL,
	credential  text NOT NULL,
	model       text NOT NULL,
	opened_at   timestamptz NOT NULL DEFAULT now(),
	until       timestamptz NOT NULL,
	openings    integer NOT NULL DEFAULT 1,
	opened_by   uuid NOT NULL,
	why         text NOT NULL,
	probe_by    uuid,
	probe_until timestamptz,
	PRIMARY KEY (provider, credential, model)
);
COMMENT ON TABLE breakers IS 'Breakers that are open for the whole fleet, one row each.';
COMMENT ON COLUMN breakers.model IS 'Empty: the credential itself is refused (key, billing).';
COMMENT ON COLUMN breakers.until IS 'From then on one worker may send a probe.';
COMMENT ON COLUMN breakers.openings IS '1, and one for each probe that failed since.';
COMMENT ON COLUMN breakers.probe_until IS 'The grant of probe_by is lost then, unless its probe is out and it asks again.';

-- One worker's words about breakers: 'open' (its own finding, or its probe failed), 'closed' (its probe succeeded), 'probe' (it
-- would like to send one, or has one out). Only who holds the grant closes a breaker or puts its probe off.
CREATE FUNCTION breakers_say(me uuid, providers text[], credentials text[], models text[], words text[], waits integer[],
	reasons text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	raised bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('sluice.breakers'));
	DELETE FROM breakers b USING unnest(providers, credentials, models, words) AS t(provider, credential, model, word)
	WHERE t.word = 'closed' AND b.probe_by = me
		AND (b.provider, b.credential, b.model) = (t.provider, t.credential, t.model);
	WITH opened AS (
		INSERT INTO breakers AS b (provider, credential, model, until, opened_by, why)
		SELECT provider, credential, model, clock_timestamp() + make_interval(secs => wait / 1000.0), me, why
		FROM unnest(providers, credentials, models, words, waits, reasons) AS t(provider, credential, model, word, wait, why)
		WHERE word = 'open'
		ON CONFLICT ON CONSTRAINT breakers_pkey DO UPDATE SET until = excluded.until, openings = b.openings + 1,
			why = excluded.why, probe_by = NULL, probe_until = NULL
		WHERE b.probe_by = me
		RETURNING *
	)
	SELECT count(alert('breaker', provider || '/' || credential, opened_at::text,
		jsonb_build_object('provider', provider, 'credential', credential, 'why', why))) FROM opened
	WHERE model = '' AND openings = 1 INTO raised;
	UPDATE breakers b SET probe_by = me, probe_until = clock_timestamp() + interval '3 s'
	FROM unnest(providers, credentials, models, words) AS t(provider, credential, model, word)
	WHERE t.word = 'probe' AND (b.provider, b.credential, b.model) = (t.provider, t.credential, t.model)
		AND b.until <= clock_timestamp() AND (b.probe_by = me OR coalesce(b.probe_until, b.until) <= clock_timestamp());
END $$;

-- The same, and then every open breaker as one worker has to see it: ms until a probe may go (0 and mine: go).
CREATE FUNCTION breakers_turn(me uuid, providers text[], credentials text[], models text[], words text[], waits integer[],
	reasons text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF cardinality(words) > 0 THEN
		PERFORM breakers_say(me, providers, credentials, models, words, waits, reasons);
	END IF;
	RETURN (SELECT json_agg(json_build_object('provider', provider, 'credential', credential, 'model', model,
		'mine', probe_by = me AND probe_until > clock_timestamp(),
		'left', greatest(0, ceil(1000 * extract(epoch FROM CASE WHEN probe_by <> me THEN greatest(until, probe_until)
			ELSE until END - clock_timestamp())))::integer)) FROM breakers);
END $$;

REVOKE EXECUTE ON FUNCTION breakers_say(uuid, text[], text[], text[], text[], integer[], text[]),
	breakers_turn(uuid, text[], text[], text[], text[], integer[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION breakers_say(uuid, text[], text[], text[], text[], integer[], text[]),
	breakers_turn(uuid, text[], text[], text[], text[], integer[], text[]) TO sluice_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON breakers TO sluice_worker;
GRANT SELECT ON breakers TO sluice_api, sluice_analyst;
