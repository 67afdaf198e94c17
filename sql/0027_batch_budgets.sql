-- Budgets hold for the batch lane too: before a batch leaves, each of its lines reserves its bound of every balance that
-- holds for it, as a call does with its intent. Which the batch is made for stands in reservations.lease_id.

-- What lines of a batch take of balances, beyond what they hold already. Tokens are bounds, those enqueued a guess.
CREATE FUNCTION batch_takes(batch uuid, ids uuid[], inputs bigint[], outputs bigint[], worst bigint[])
RETURNS TABLE (attempt_id uuid, allowance_id integer, unit text, amount numeric) LANGUAGE sql STABLE AS $$
	SELECT a.attempt_id, b.allowance_id, b.unit, CASE b.unit WHEN 'usd' THEN coalesce(a.bound, t.worst) WHEN 'requests' THEN 1
		WHEN 'input_tokens' THEN t.input WHEN 'output_tokens' THEN t.output WHEN 'enqueued_tokens' THEN (t.input + 3) / 4
		ELSE t.input + t.output END
	FROM unnest(ids, inputs, outputs, worst) AS t(id, input, output, worst)
	JOIN attempts a ON a.batch_id = batch AND a.attempt_id = t.id AND a.state = 'sent'
	JOIN jobs j ON j.job_id = a.job_id
	JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
	JOIN allowances b ON b.kind = 'balance' AND NOT b.retired AND b.unit <> 'calls'
		AND coalesce(b.scope ->> 'business_unit', '') IN ('', p.business_unit) AND coalesce(b.scope ->> 'feature', '') IN ('', p.feature)
		AND coalesce(b.scope ->> 'environment', '') IN ('', p.environment) AND coalesce(b.scope ->> 'usage_tier', '') IN ('', p.usage_tier)
		AND coalesce(b.scope ->> 'user', '') IN ('', p.user_name) AND coalesce(b.scope ->> 'task', '') IN ('', p.task)
		AND coalesce(b.scope ->> 'plan', '') IN ('', CASE WHEN p.free_plan THEN 'free' ELSE 'paid' END)
		AND coalesce(b.scope ->> 'provider', '') IN ('', a.provider) AND coalesce(b.scope ->> 'credential', '') IN ('', a.credential)
		AND a.model LIKE translate(replace(replace(replace(coalesce(nullif(b.scope ->> 'model', ''), '*'),
			'\', '\\'), '%', '\%'), '_', '\_'), '*?', '%_')
	WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.attempt_id = a.attempt_id AND r.allowance_id = b.allowance_id)
$$;

-- Reserve, in the order of the lines, as far as there is room; safe to send again. What comes back may not be sent: each
-- with the policy of the balance that has no room until its period ends, or 'wait' where others may leave some before,
-- and how long to wait.
CREATE FUNCTION batch_reserve(batch uuid, ids uuid[], inputs bigint[], outputs bigint[], worst bigint[])
RETURNS TABLE (refused uuid, policy text, wait_ms bigint) LANGUAGE plpgsql AS $$
DECLARE
	held integer[];
	rooms numeric[] := '{}';
	mosts numeric[] := '{}';
	taken numeric[] := '{}';
	policies text[] := '{}';
	waits bigint[] := '{}';
	a allowances;
	line record;
	bad integer;
	bad_amount numeric;
	pos integer;
	ts timestamptz := clock_timestamp();
BEGIN
	IF NOT EXISTS (SELECT FROM allowances x WHERE x.kind = 'balance' AND NOT x.retired AND x.unit <> 'calls') THEN
		RETURN;
	END IF;
	SELECT array_agg(DISTINCT t.allowance_id ORDER BY t.allowance_id) INTO held FROM batch_takes(batch, ids, inputs, outputs, worst) t;
	IF held IS NULL THEN
		RETURN;
	END IF;
	FOR a IN SELECT * FROM allowances x WHERE x.allowance_id = ANY (held) ORDER BY x.allowance_id FOR UPDATE LOOP
		a := balance_roll(a, ts);
		UPDATE allowances x SET reserved = a.reserved, unknown = a.unknown, charged = a.charged, excess = a.excess,
			period_start = a.period_start, period_end = a.period_end WHERE x.allowance_id = a.allowance_id;
		rooms := rooms || (a.cap - a.charged - a.reserved);
		mosts := mosts || (a.cap - a.charged - a.unknown);
		taken := taken || 0::numeric;
		policies := policies || a.policy;
		waits := waits || CASE WHEN a.period = 'none' THEN 60000
			ELSE ceil(extract(epoch FROM a.period_end - ts) * 1000)::bigint + 1000 END;
	END LOOP;
	FOR line IN SELECT t.attempt_id, array_agg(t.allowance_id) AS ours, array_agg(t.unit) AS units, array_agg(t.amount) AS amounts
		FROM batch_takes(batch, ids, inputs, outputs, worst) t WHERE t.allowance_id = ANY (held) GROUP BY 1 ORDER BY 1
	LOOP
		bad := NULL;
		FOR i IN 1 .. cardinality(line.ours) LOOP
			pos := array_position(held, line.ours[i]);
			IF line.amounts[i] > rooms[pos] AND (bad IS NULL OR line.amounts[i] > mosts[pos]) THEN
				bad := pos;
				bad_amount := line.amounts[i];
			END IF;
		END LOOP;
		IF bad IS NOT NULL THEN
			refused := line.attempt_id;
			policy := CASE WHEN bad_amount > mosts[bad] THEN policies[bad] ELSE 'wait' END;
			wait_ms := CASE WHEN bad_amount > mosts[bad] THEN waits[bad] ELSE 60000 END;
			RETURN NEXT;
			CONTINUE;
		END IF;
		INSERT INTO reservations (attempt_id, allowance_id, lease_id, unit, amount)
		SELECT line.attempt_id, t.id, batch, t.unit, t.amount FROM unnest(line.ours, line.units, line.amounts) AS t(id, unit, amount);
		FOR i IN 1 .. cardinality(line.ours) LOOP
			pos := array_position(held, line.ours[i]);
			rooms[pos] := rooms[pos] - line.amounts[i];
			taken[pos] := taken[pos] + line.amounts[i];
		END LOOP;
	END LOOP;
	UPDATE allowances x SET reserved = x.reserved + t.amount FROM unnest(held, taken) AS t(id, amount)
	WHERE x.allowance_id = t.id AND t.amount > 0;
END $$;

-- A batch that will never run: its open lines end without money, and hold nothing any more; its jobs wait for another one.
CREATE OR REPLACE FUNCTION scatter_batch(batch uuid, why text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	given integer;
	ended uuid[];
BEGIN
	PERFORM FROM attempts WHERE batch_id = batch AND state = 'sent' ORDER BY attempt_id FOR UPDATE;
	WITH closed AS (
		UPDATE attempts SET state = 'throttled', closed_at = now(), verdict = 'not_sent', reply = 'not_sent'
		WHERE batch_id = batch AND state = 'sent' RETURNING attempt_id
	)
	SELECT array_agg(attempt_id) INTO ended FROM closed;
	WITH back AS (
		UPDATE jobs SET state = 'PARKED', reason = why, due = now(), owner = NULL, changed_at = now()
		WHERE batch_id = batch AND state = 'BATCHED' RETURNING job_id
	)
	SELECT count(*) INTO given FROM back;
	PERFORM free_reservations(ended, false);
	PERFORM count_repair('batch_scattered', given);
	RETURN given;
END $$;

REVOKE EXECUTE ON FUNCTION batch_takes(uuid, uuid[], bigint[], bigint[], bigint[]),
	batch_reserve(uuid, uuid[], bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batch_takes(uuid, uuid[], bigint[], bigint[], bigint[]),
	batch_reserve(uuid, uuid[], bigint[], bigint[], bigint[]) TO sluice_worker;
