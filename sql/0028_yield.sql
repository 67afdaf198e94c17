-- From 90 % of a balance on, who comes later in the order yields to who comes before, in the whole fleet: batch to normal,
-- normal to express, and in each lane free plans to paid ones. A worker tells with its lease the first rank that asks it for
-- the balance, and hears the first of all.

ALTER TABLE leases ADD COLUMN rank integer NOT NULL DEFAULT 6;
COMMENT ON COLUMN leases.rank IS 'The first that asks: 0 express, 2 normal, 4 batch, one more for free plans; 6: nobody does.';

-- One round trip for all that a worker needs. Per allowance: what it wants and the least it can use, what calls took
-- less (or, below 0, more) than guessed, what replies told, and the lease it knows: another one of its own is dropped,
-- with what is unspent of it. Comes back: the grant and its lease, the most a call may need in this period, the hold, what the provider says and we think.
CREATE FUNCTION allow_turn(me uuid, alive integer, ids integer[], known uuid[], wants bigint[], needs bigint[], credits bigint[],
	limits bigint[], lefts bigint[], ages integer[], holds integer[], hits boolean[], ranks integer[])
RETURNS TABLE (allowance_id integer, granted bigint, lease_id uuid, most bigint, held_ms bigint, period_ms bigint,
	says double precision, thinks double precision, share_used double precision, first integer)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	ask record;
	a allowances;
	mine leases;
	ts timestamptz;
	since_last double precision;
	asking integer;
	freed numeric;
	give numeric;
BEGIN
	FOR ask IN SELECT * FROM unnest(ids, known, wants, needs, credits, limits, lefts, ages, holds, hits, ranks)
		AS t(id, known_lease, want, need, credit, said_limit, said_left, age, hold, hit, rank) ORDER BY id
	LOOP
		SELECT * INTO a FROM allowances x WHERE x.allowance_id = ask.id AND NOT x.retired FOR UPDATE;
		CONTINUE WHEN NOT FOUND;
		ts := clock_timestamp();
		SELECT * INTO mine FROM leases l WHERE l.allowance_id = ask.id AND l.worker_id = me FOR UPDATE;
		since_last := extract(epoch FROM ts - greatest(mine.wanted_at, ts - interval '2 s'));
		since_last := coalesce(since_last, 0.25);
		WITH gone AS (
			DELETE FROM leases l WHERE l.allowance_id = ask.id AND (l.expires_at < ts AND (l.worker_id <> me OR a.kind = 'balance')
				OR l.worker_id = me AND a.kind = 'balance' AND l.lease_id IS DISTINCT FROM ask.known_lease) RETURNING l.granted - l.spent AS unspent, l.worker_id
		)
		SELECT coalesce(sum(unspent), 0) INTO freed FROM gone;
		IF a.kind = 'rate' THEN
			a := rate_measure(a, ts, ask.said_limit, ask.said_left, make_interval(secs => ask.age / 1000.0),
				make_interval(secs => ask.hold / 1000.0), ask.hit);
			a := rate_refill(a, ts, ask.credit);
			SELECT count(*) + 1 INTO asking FROM leases l
			WHERE l.allowance_id = ask.id AND l.worker_id <> me AND l.wanted_at > ts - interval '2 s';
			give := rate_grant(a, ts, ask.want, ask.need, asking, since_last);
			a.level := a.level - give;
			a.thought := a.thought - give;
			a.since_said := a.since_said + give - ask.credit;
			IF give > 0 THEN
				a.granted_at := ts;
			END IF;
			UPDATE allowances x SET level = a.level, level_at = a.level_at, thought = a.thought, since_said = a.since_said,
				said_limit = a.said_limit, said_left = a.said_left, said_at = a.said_at, learned = a.learned,
				learned_at = a.learned_at, held_until = a.held_until, granted_at = a.granted_at, ramp_at = a.ramp_at
			WHERE x.allowance_id = a.allowance_id;
		ELSE
			a.reserved := a.reserved - freed;
			a := balance_roll(a, ts);
			give := balance_grant(a, ask.want, ask.need, greatest(alive, 1));
			a.reserved := a.reserved + give;
			IF ask.want > 0 AND give = 0 THEN
				-- What is left of ours is too little for any call and cannot be added to: others may make one of it.
				WITH crumbs AS (
					DELETE FROM leases l WHERE l.allowance_id = ask.id AND l.worker_id = me AND l.granted > l.spent
					RETURNING l.granted - l.spent AS unspent
				)
				SELECT coalesce(sum(unspent), 0) INTO freed FROM crumbs;
				a.reserved := a.reserved - freed;
			END IF;
			UPDATE allowances x SET reserved = a.reserved, unknown = a.unknown, charged = a.charged, excess = a.excess,
				period_start = a.period_start, period_end = a.period_end
			WHERE x.allowance_id = a.allowance_id;
			IF ask.want > 0 AND give = 0 AND a.cap - a.charged - a.unknown < ask.need THEN
				PERFORM raise_alert(a, 100);
			END IF;
		END IF;
		INSERT INTO leases AS l (allowance_id, worker_id, unit, granted, wanted_at, expires_at, rank)
		VALUES (ask.id, me, a.unit, CASE WHEN a.kind = 'balance' THEN give ELSE 0 END,
			CASE WHEN ask.want > 0 THEN ts ELSE 'epoch' END, ts + interval '2 s', ask.rank)
		ON CONFLICT (allowance_id, worker_id) DO UPDATE SET granted = l.granted + excluded.granted,
			wanted_at = greatest(l.wanted_at, excluded.wanted_at), expires_at = excluded.expires_at, rank = excluded.rank
		RETURNING * INTO mine;
		allowance_id := a.allowance_id;
		granted := give;
		lease_id := mine.lease_id;
		most := CASE WHEN a.kind = 'balance' THEN least(greatest(a.cap - a.charged - a.unknown, 0), 9223372036854775807)
			ELSE 9223372036854775807 END;
		held_ms := greatest(0, ceil(extract(epoch FROM a.held_until - ts) * 1000));
		period_ms := CASE WHEN a.kind = 'balance' AND a.period <> 'none'
			THEN ceil(extract(epoch FROM a.period_end - ts) * 1000) ELSE 0 END;
		says := a.said_left;
		thinks := a.thought;
		share_used := CASE WHEN a.kind = 'balance' AND a.cap > 0 THEN (a.charged + a.reserved) / a.cap ELSE 0 END;
		first := 6;
		IF share_used >= 0.9 AND a.unit NOT IN ('calls', 'enqueued_tokens') THEN
			SELECT min(l.rank) INTO first FROM leases l WHERE l.allowance_id = ask.id AND l.expires_at > ts;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;

-- Reserve, in the order of the lines, as far as there is room; safe to send again. What comes back may not be sent: each
-- with the policy of the balance that has no room until its period ends, or 'wait' where others may leave some before,
-- and how long to wait.
CREATE OR REPLACE FUNCTION batch_reserve(batch uuid, ids uuid[], inputs bigint[], outputs bigint[], worst bigint[])
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
	wanted boolean;
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
		-- Of the last tenth nothing while a call's lane or plan that comes before the batch lane asks for it.
		wanted := a.unit <> 'enqueued_tokens' AND EXISTS (SELECT FROM leases l WHERE l.allowance_id = a.allowance_id AND l.expires_at > ts AND l.rank < 4);
		rooms := rooms || (CASE WHEN wanted THEN a.cap * 0.9 ELSE a.cap END - a.charged - a.reserved);
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

-- As workers of the version before call it, beside which this one must run.
CREATE OR REPLACE FUNCTION allow_turn(me uuid, alive integer, ids integer[], known uuid[], wants bigint[], needs bigint[],
	credits bigint[], limits bigint[], lefts bigint[], ages integer[], holds integer[], hits boolean[])
RETURNS TABLE (allowance_id integer, granted bigint, lease_id uuid, most bigint, held_ms bigint, period_ms bigint,
	says double precision, thinks double precision, share_used double precision)
LANGUAGE sql AS $$
	SELECT t.allowance_id, t.granted, t.lease_id, t.most, t.held_ms, t.period_ms, t.says, t.thinks, t.share_used
	FROM allow_turn(me, alive, ids, known, wants, needs, credits, limits, lefts, ages, holds, hits,
		array_fill(6, ARRAY[cardinality(ids)])) t
$$;

REVOKE EXECUTE ON FUNCTION allow_turn(uuid, integer, integer[], uuid[], bigint[], bigint[], bigint[], bigint[], bigint[],
	integer[], integer[], boolean[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION allow_turn(uuid, integer, integer[], uuid[], bigint[], bigint[], bigint[], bigint[], bigint[],
	integer[], integer[], boolean[], integer[]) TO sluice_worker;
