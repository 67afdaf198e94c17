-- Allowances: limits that the whole fleet shares. Workers lease chunks of them for at most two seconds; one call
-- of allow_turn() a few times a second does everything a worker needs.
--
-- Rates refill by this clock; a chunk of them is never returned. Balances are: available = cap - charged - reserved,
-- where reserved is the unspent part of leases plus the bounds of open and unknown attempts. Lock order: attempts,
-- jobs, reservations, allowances by id, leases by allowance; who writes an intent locks jobs and then leases only.

CREATE TABLE allowances (
	allowance_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind         text NOT NULL CHECK (kind IN ('rate', 'balance')),
	unit         text NOT NULL CHECK (unit IN ('requests', 'input_tokens', 'output_tokens', 'tokens', 'usd', 'calls', 'enqueued_tokens')),
	period       text NOT NULL CHECK (period IN ('minute', 'hour', 'day', 'month', 'none')),
	scope        jsonb NOT NULL CHECK (jsonb_typeof(scope) = 'object'),
	cap          numeric CHECK (cap >= 0),
	policy       text NOT NULL DEFAULT 'park' CHECK (policy IN ('park', 'degrade', 'dead')),
	calibrate    boolean NOT NULL DEFAULT true,
	retired      boolean NOT NULL DEFAULT false,
	source       text NOT NULL CHECK (source IN ('config', 'user', 'provider')),
	changed_by   text NOT NULL,
	changed_at   timestamptz NOT NULL DEFAULT now(),
	version      bigint NOT NULL,
	-- balances
	period_start timestamptz NOT NULL DEFAULT 'epoch',
	period_end   timestamptz NOT NULL DEFAULT 'epoch',
	charged      numeric NOT NULL DEFAULT 0,
	reserved     numeric NOT NULL DEFAULT 0,
	unknown      numeric NOT NULL DEFAULT 0,
	excess       numeric NOT NULL DEFAULT 0 CHECK (excess >= 0),
	-- rates
	level        double precision,
	level_at     timestamptz NOT NULL DEFAULT now(),
	learned      double precision NOT NULL DEFAULT 1,
	learned_at   timestamptz NOT NULL DEFAULT 'epoch',
	thought      double precision,
	said_limit   double precision,
	said_left    double precision,
	said_at      timestamptz NOT NULL DEFAULT 'epoch',
	since_said   double precision NOT NULL DEFAULT 0,
	held_until   timestamptz NOT NULL DEFAULT 'epoch',
	granted_at   timestamptz NOT NULL DEFAULT 'epoch',
	ramp_at      timestamptz NOT NULL DEFAULT 'epoch',
	UNIQUE (kind, unit, period, scope),
	CONSTRAINT never_over_the_cap CHECK (kind = 'rate' OR charged + reserved <= cap + excess),
	CONSTRAINT balance_has_cap CHECK (kind = 'rate' OR cap IS NOT NULL),
	CONSTRAINT unknown_is_reserved CHECK (unknown >= 0 AND unknown <= reserved)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX allowances_version ON allowances (version);
CREATE SEQUENCE allowance_versions;
COMMENT ON TABLE allowances IS 'Limits the fleet shares: rates of providers and balances of those who pay.';
COMMENT ON COLUMN allowances.scope IS 'Rates: provider, credential, model (a glob). Balances: the tags they hold for, {} for all.';
COMMENT ON COLUMN allowances.cap IS 'In the unit, usd in pico-dollars; NULL: not known, only holds count.';
COMMENT ON COLUMN allowances.excess IS 'By how much the cap is passed on purpose: it was lowered, or an answer cost more than its bound.';
COMMENT ON COLUMN allowances.unknown IS 'The part of reserved whose attempts have an unknown fate.';
COMMENT ON COLUMN allowances.learned IS 'The share of the cap that 429s without headers have left us; grows back.';
COMMENT ON COLUMN allowances.said_left IS 'What the provider said was left, at said_at.';
COMMENT ON COLUMN allowances.thought IS 'What we think the provider has left for us.';

CREATE TABLE leases (
	allowance_id integer NOT NULL,
	worker_id    uuid NOT NULL,
	lease_id     uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
	unit         text NOT NULL,
	granted      numeric NOT NULL DEFAULT 0,
	spent        numeric NOT NULL DEFAULT 0,
	wanted_at    timestamptz NOT NULL DEFAULT 'epoch',
	expires_at   timestamptz NOT NULL,
	PRIMARY KEY (allowance_id, worker_id),
	CHECK (spent <= granted)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

-- What an open or unknown attempt holds of a balance: its bound, until it is settled.
CREATE TABLE reservations (
	attempt_id   uuid NOT NULL,
	allowance_id integer NOT NULL,
	lease_id     uuid NOT NULL,
	unit         text NOT NULL,
	amount       numeric NOT NULL CHECK (amount >= 0),
	unknown      boolean NOT NULL DEFAULT false,
	PRIMARY KEY (attempt_id, allowance_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX reservations_unknown ON reservations (allowance_id) WHERE unknown;

CREATE TABLE allowance_changes (
	change_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	allowance_id integer NOT NULL,
	at           timestamptz NOT NULL DEFAULT now(),
	changed_by   text NOT NULL,
	before       jsonb,
	after        jsonb NOT NULL
);

-- Each once a period and threshold; the next period arms it again.
CREATE TABLE alerts (
	alert_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at           timestamptz NOT NULL DEFAULT now(),
	allowance_id integer NOT NULL,
	period_start timestamptz NOT NULL,
	threshold    integer NOT NULL,
	charged      numeric NOT NULL,
	reserved     numeric NOT NULL,
	cap          numeric NOT NULL,
	UNIQUE (allowance_id, period_start, threshold)
);
COMMENT ON COLUMN alerts.threshold IS 'Percent of the cap: 80, 100; above 100: the cap was passed.';

-- --- definitions ---

CREATE FUNCTION allowance_definition(a allowances) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object('kind', a.kind, 'unit', a.unit, 'period', a.period, 'scope', a.scope, 'cap', a.cap,
		'policy', a.policy, 'calibrate', a.calibrate, 'retired', a.retired, 'source', a.source)
$$;

-- Make or change one; NULLs leave what is there (park, true for a new one). `only_if_absent` is for defaults.
CREATE FUNCTION allowance_set(new_kind text, new_unit text, new_period text, new_scope jsonb, new_cap numeric, new_policy text,
	new_calibrate boolean, new_retired boolean, new_source text, who text, only_if_absent boolean) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	a allowances;
	before jsonb;
BEGIN
	INSERT INTO allowances (kind, unit, period, scope, cap, policy, calibrate, source, changed_by, version)
	VALUES (new_kind, new_unit, new_period, new_scope, new_cap, coalesce(new_policy, 'park'), coalesce(new_calibrate, true),
		new_source, who, nextval('allowance_versions'))
	ON CONFLICT (kind, unit, period, scope) DO NOTHING RETURNING * INTO a;
	IF NOT FOUND THEN
		IF only_if_absent THEN
			RETURN NULL;
		END IF;
		SELECT * INTO a FROM allowances
		WHERE kind = new_kind AND unit = new_unit AND period = new_period AND scope = new_scope FOR UPDATE;
		before := allowance_definition(a);
		UPDATE allowances SET cap = coalesce(new_cap, cap), policy = coalesce(new_policy, policy),
			calibrate = coalesce(new_calibrate, calibrate), retired = coalesce(new_retired, false), source = new_source,
			changed_by = who, changed_at = now(), version = nextval('allowance_versions'), learned = 1, said_limit = NULL,
			excess = CASE WHEN kind = 'balance' THEN greatest(0, charged + reserved - coalesce(new_cap, cap)) ELSE 0 END
		WHERE allowance_id = a.allowance_id RETURNING * INTO a;
		IF new_kind = 'balance' THEN
			-- Those who wait for it try again, when workers have heard of it.
			WITH waiting AS (
				SELECT job_id FROM jobs WHERE state = 'PARKED' AND reason = 'budget' AND due > now()
					AND (NOT new_scope ? 'business_unit' OR business_unit = new_scope ->> 'business_unit')
				FOR UPDATE SKIP LOCKED
			)
			UPDATE jobs j SET due = now() + interval '2 s' FROM waiting w WHERE j.job_id = w.job_id;
		END IF;
	END IF;
	INSERT INTO allowance_changes (allowance_id, changed_by, before, after)
	VALUES (a.allowance_id, who, before, allowance_definition(a));
	RETURN a.allowance_id;
END $$;

-- --- turns ---

CREATE FUNCTION seconds_of(period text) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE period WHEN 'minute' THEN 60 WHEN 'hour' THEN 3600 WHEN 'day' THEN 86400 WHEN 'month' THEN 2592000 ELSE 1 END
$$;

-- What a rate allows in its period: the provider's own word counts, unless the operator forbids to follow it upwards.
CREATE FUNCTION rate_top(a allowances) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN a.said_limit IS NULL THEN a.cap::double precision
		WHEN a.calibrate OR a.cap IS NULL THEN a.said_limit
		ELSE least(a.cap::double precision, a.said_limit) END
$$;

-- What replies have told: limits, what is left of them, holds. A 429 although the headers are silent cuts the rate.
CREATE FUNCTION rate_measure(a allowances, ts timestamptz, new_limit double precision, new_left double precision, age interval,
	hold interval, hit boolean) RETURNS allowances LANGUAGE plpgsql AS $$
BEGIN
	IF new_limit > 0 THEN
		a.said_limit := new_limit;
	END IF;
	IF new_left >= 0 AND ts - age > a.said_at THEN
		a.said_left := new_left;
		a.said_at := ts - age;
		a.since_said := 0;
		a.learned := 1;
	END IF;
	IF hold > interval '0' THEN
		a.held_until := greatest(a.held_until, ts + hold);
	END IF;
	IF hit AND ts - a.said_at > interval '5 s' AND ts - a.learned_at > interval '1 s' THEN
		a.learned := greatest(0.01, a.learned * 0.7);
		a.learned_at := ts;
		a.level := least(a.level, 0);
	END IF;
	RETURN a;
END $$;

-- Refill by the clock. While the provider tells what is left we aim at the middle of its bucket: fuller means that we
-- could go faster, emptier that others use the key or that we guess too low. After a pause the rate ramps up.
CREATE FUNCTION rate_refill(a allowances, ts timestamptz, credit double precision) RETURNS allowances LANGUAGE plpgsql AS $$
DECLARE
	top double precision := rate_top(a);
	seconds double precision := seconds_of(a.period);
	passed double precision := greatest(0, extract(epoch FROM ts - a.level_at));
	per_second double precision := top / seconds;
	burst double precision := CASE WHEN a.period IN ('day', 'month') THEN top ELSE per_second * seconds / 30 END;
	speed double precision := a.learned;
BEGIN
	IF ts - a.granted_at > interval '60 s' THEN
		a.ramp_at := ts;
	END IF;
	IF a.period = 'minute' THEN
		speed := speed * least(1, 0.25 + 0.075 * extract(epoch FROM ts - a.ramp_at));
		IF ts - a.said_at < interval '5 s' THEN
			speed := speed * least(2, greatest(0.1,
				2 * ((a.said_left - a.since_said) / top + extract(epoch FROM ts - a.said_at) / seconds)));
		END IF;
	END IF;
	IF a.learned < 1 AND ts - a.learned_at > interval '60 s' THEN
		a.learned := least(1, a.learned + 0.02 * passed / 60);
	END IF;
	a.level := least(burst, coalesce(a.level, CASE WHEN a.period IN ('day', 'month') THEN top ELSE 0 END)
		+ per_second * passed * speed + credit);
	a.thought := least(top, coalesce(a.thought, top) + per_second * passed + credit);
	a.level_at := ts;
	RETURN a;
END $$;

-- A fair share of what has come in since the last turn, and of what others left lying. Below one call's size one call,
-- so that large ones have their turn: the level goes below zero and recovers.
CREATE FUNCTION rate_grant(a allowances, ts timestamptz, want double precision, need double precision, asking integer,
	since_last double precision) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
	per_second double precision := rate_top(a) / seconds_of(a.period);
	room double precision := a.level;
	share double precision;
BEGIN
	IF want <= 0 OR a.held_until > ts THEN
		RETURN 0;
	ELSIF a.level IS NULL THEN
		RETURN want; -- no limit is known, only holds
	END IF;
	IF a.period = 'minute' AND ts - a.said_at < interval '5 s' THEN
		-- What is granted but not counted there yet is half a second's worth.
		room := least(room, a.said_left - a.since_said + per_second * (extract(epoch FROM ts - a.said_at) - 0.5));
		IF room < need AND room < a.level THEN
			RETURN 0;
		END IF;
	END IF;
	IF room <= 0 THEN
		RETURN 0;
	END IF;
	share := floor(least(want, room, greatest(per_second * a.learned * least(since_last, 2) / asking, room / (2 * asking))));
	RETURN greatest(share, need);
END $$;

-- A new period: what was charged is history. Attempts of unknown fate stay with the period they were made in.
CREATE FUNCTION balance_roll(a allowances, ts timestamptz) RETURNS allowances LANGUAGE plpgsql AS $$
DECLARE
	gone numeric;
BEGIN
	IF a.period = 'none' THEN
		a.period_start := 'epoch';
		a.period_end := 'infinity';
		RETURN a;
	ELSIF ts < a.period_end THEN
		RETURN a;
	END IF;
	WITH old AS (
		SELECT attempt_id FROM reservations WHERE allowance_id = a.allowance_id AND unknown FOR UPDATE SKIP LOCKED
	), freed AS (
		DELETE FROM reservations r USING old o WHERE r.attempt_id = o.attempt_id AND r.allowance_id = a.allowance_id
		RETURNING r.amount
	)
	SELECT coalesce(sum(amount), 0) INTO gone FROM freed;
	a.charged := 0;
	a.unknown := a.unknown - gone;
	a.reserved := a.reserved - gone;
	a.excess := greatest(0, a.reserved - a.cap);
	a.period_start := date_trunc(a.period, ts, 'UTC');
	a.period_end := (date_trunc(a.period, ts AT TIME ZONE 'UTC') + ('1 ' || a.period)::interval) AT TIME ZONE 'UTC';
	RETURN a;
END $$;

CREATE FUNCTION balance_grant(a allowances, want numeric, need numeric, alive integer) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN want <= 0 THEN 0
		WHEN least(want, floor((a.cap - a.charged - a.reserved) / (2 * alive))) >= need
			THEN least(want, floor((a.cap - a.charged - a.reserved) / (2 * alive)))
		WHEN a.cap - a.charged - a.reserved >= need THEN need -- one call, serialised on this row
		ELSE 0 END
$$;

CREATE FUNCTION raise_alert(a allowances, at_percent integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO alerts (allowance_id, period_start, threshold, charged, reserved, cap)
	VALUES (a.allowance_id, a.period_start, at_percent, a.charged, a.reserved, a.cap)
	ON CONFLICT DO NOTHING
$$;

-- One round trip for all that a worker needs. Per allowance: what it wants and the least it can use, what calls took
-- less (or, below 0, more) than guessed, what replies told, and the lease it knows: another one of its own is dropped,
-- with what is unspent of it. Comes back: the grant and its lease, the most a call may need in this period, the hold, what the provider says and we think.
CREATE FUNCTION allow_turn(me uuid, alive integer, ids integer[], known uuid[], wants bigint[], needs bigint[], credits bigint[],
	limits bigint[], lefts bigint[], ages integer[], holds integer[], hits boolean[])
RETURNS TABLE (allowance_id integer, granted bigint, lease_id uuid, most bigint, held_ms bigint, period_ms bigint,
	says double precision, thinks double precision, share_used double precision)
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
	FOR ask IN SELECT * FROM unnest(ids, known, wants, needs, credits, limits, lefts, ages, holds, hits)
		AS t(id, known_lease, want, need, credit, said_limit, said_left, age, hold, hit) ORDER BY id
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
		INSERT INTO leases AS l (allowance_id, worker_id, unit, granted, wanted_at, expires_at)
		VALUES (ask.id, me, a.unit, CASE WHEN a.kind = 'balance' THEN give ELSE 0 END,
			CASE WHEN ask.want > 0 THEN ts ELSE 'epoch' END, ts + interval '2 s')
		ON CONFLICT (allowance_id, worker_id) DO UPDATE SET granted = l.granted + excluded.granted,
			wanted_at = greatest(l.wanted_at, excluded.wanted_at), expires_at = excluded.expires_at
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
		RETURN NEXT;
	END LOOP;
END $$;

-- --- ends of attempts outside settle.sql ---

-- Attempts that end without an answer: surely free of charge, or of unknown fate.
CREATE FUNCTION free_reservations(ended uuid[], now_unknown boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM reservations WHERE attempt_id = ANY (ended)) THEN
		RETURN;
	END IF;
	WITH gone AS (
		DELETE FROM reservations WHERE attempt_id = ANY (ended)
			AND (NOT now_unknown OR unit IN ('calls', 'enqueued_tokens')) RETURNING allowance_id, amount, unknown
	), doubted AS (
		UPDATE reservations SET unknown = true WHERE attempt_id = ANY (ended) AND now_unknown AND NOT unknown
			AND unit NOT IN ('calls', 'enqueued_tokens') RETURNING allowance_id, amount
	), sums AS MATERIALIZED (
		SELECT allowance_id, sum(freed) AS freed, sum(doubt) AS doubt FROM (
			SELECT allowance_id, amount AS freed, CASE WHEN unknown THEN -amount ELSE 0 END AS doubt FROM gone
			UNION ALL SELECT allowance_id, 0, amount FROM doubted) s GROUP BY allowance_id
	), locked AS MATERIALIZED (
		SELECT a.allowance_id FROM allowances a WHERE a.allowance_id IN (SELECT allowance_id FROM sums)
		ORDER BY a.allowance_id FOR UPDATE
	)
	UPDATE allowances a SET reserved = a.reserved - s.freed, unknown = a.unknown + s.doubt,
		excess = greatest(0, a.charged + a.reserved - s.freed - a.cap)
	FROM locked l JOIN sums s USING (allowance_id) WHERE a.allowance_id = l.allowance_id;
END $$;

CREATE OR REPLACE FUNCTION write_off(jobs_lost uuid[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	lost uuid[];
BEGIN
	WITH open AS (
		SELECT day, attempt_id FROM attempts
		WHERE job_id = ANY (jobs_lost) AND state = 'sent' ORDER BY attempt_id FOR UPDATE
	), lost_attempts AS (
		UPDATE attempts a SET state = 'unknown', closed_at = now(), verdict = 'unknown', reply = 'lost'
		FROM open o WHERE a.day = o.day AND a.attempt_id = o.attempt_id RETURNING a.*
	), booked AS (
		INSERT INTO ledger (month, attempt_id, kind, job_id, run, hop, sent_at, amount, free_plan, lane,
			business_unit, feature, environment, usage_tier, user_name, task, prompt_name, prompt_version,
			provider, model, credential, tier, mode, purpose)
		SELECT date_trunc('month', a.day)::date, a.attempt_id, 'unknown', a.job_id, a.run, a.hop, a.sent_at, a.bound,
			p.free_plan, a.lane, p.business_unit, p.feature, p.environment, p.usage_tier, p.user_name, p.task,
			p.prompt_name, p.prompt_version, a.provider, a.model, a.credential, a.tier, a.mode, 'unknown'
		FROM lost_attempts a JOIN jobs j ON j.job_id = a.job_id
		JOIN payloads p ON p.day = j.day AND p.job_id = a.job_id
		RETURNING *
	), summed AS (
		INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier,
			lane, kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output)
		SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier,
			lane, kind, purpose, count(*), count(*) FILTER (WHERE amount IS NULL), coalesce(sum(amount), 0), 0, 0, 0, 0
		FROM booked GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	)
	SELECT array_agg(attempt_id) INTO lost FROM lost_attempts;
	PERFORM free_reservations(lost, true);
	PERFORM count_repair('attempt_unknown', coalesce(cardinality(lost), 0));
	RETURN coalesce(cardinality(lost), 0);
END $$;

CREATE OR REPLACE FUNCTION hand_back(worker uuid, jobs_given uuid[], unsent uuid[], unsent_days integer[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
	given uuid[];
	ended uuid[];
BEGIN
	PERFORM FROM attempts WHERE job_id = ANY (jobs_given) AND state = 'sent' ORDER BY attempt_id FOR UPDATE; -- before the jobs, as everywhere
	WITH closed AS (
		UPDATE attempts a SET state = 'throttled', closed_at = now(), verdict = 'not_sent', reply = 'not_sent'
		FROM unnest(unsent, unsent_days) AS t(attempt_id, day_no)
		WHERE a.day = date '2000-01-01' + t.day_no AND a.attempt_id = t.attempt_id AND a.state = 'sent'
		RETURNING a.attempt_id
	)
	SELECT array_agg(attempt_id) INTO ended FROM closed;
	WITH back AS (
		UPDATE jobs SET state = 'PARKED', reason = 'handed_back', due = now(), owner = NULL, changed_at = now()
		WHERE job_id IN (SELECT job_id FROM jobs
			WHERE job_id = ANY (jobs_given) AND owner = worker AND state = 'CLAIMED' ORDER BY job_id FOR UPDATE)
		RETURNING job_id
	)
	SELECT array_agg(job_id) INTO given FROM back;
	PERFORM write_off(given);
	PERFORM free_reservations(ended, false);
	RETURN QUERY SELECT unnest(given);
END $$;

-- Leases that nobody has asked after since they ran out: each returns what its attempts have not taken.
CREATE FUNCTION expire_leases() RETURNS integer LANGUAGE sql AS $$
	WITH due AS MATERIALIZED (
		SELECT allowance_id FROM allowances a
		WHERE EXISTS (SELECT FROM leases l WHERE l.allowance_id = a.allowance_id AND l.expires_at < now() - interval '1 s')
		ORDER BY allowance_id FOR UPDATE SKIP LOCKED
	), over AS MATERIALIZED (
		SELECT l.lease_id FROM leases l JOIN due d USING (allowance_id)
		WHERE l.expires_at < now() - interval '1 s' FOR UPDATE OF l SKIP LOCKED
	), gone AS (
		DELETE FROM leases l USING over o WHERE l.lease_id = o.lease_id
		RETURNING l.allowance_id, l.granted - l.spent AS unspent
	), back AS (
		UPDATE allowances a SET reserved = a.reserved - g.unspent
		FROM (SELECT allowance_id, sum(unspent) AS unspent FROM gone GROUP BY 1) g
		WHERE a.allowance_id = g.allowance_id RETURNING 1
	)
	SELECT count(*)::integer FROM back
$$;

-- Thresholds that charges have crossed; part of every sweep.
CREATE FUNCTION raise_alerts() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	raised integer;
BEGIN
	INSERT INTO alerts (allowance_id, period_start, threshold, charged, reserved, cap)
	SELECT a.allowance_id, a.period_start, t.threshold, a.charged, a.reserved, a.cap
	FROM allowances a CROSS JOIN (VALUES (80), (100)) AS t(threshold)
	WHERE a.kind = 'balance' AND a.unit NOT IN ('calls', 'enqueued_tokens') AND NOT a.retired AND a.cap > 0
		AND now() < a.period_end AND a.charged + a.unknown >= a.cap * t.threshold / 100
		AND NOT EXISTS (SELECT FROM alerts x WHERE x.allowance_id = a.allowance_id AND x.period_start = a.period_start
			AND x.threshold = t.threshold)
	ORDER BY a.allowance_id, t.threshold
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS raised = ROW_COUNT;
	RETURN raised;
END $$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sluice FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sluice TO sluice_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON allowances, leases, reservations, allowance_changes, alerts TO sluice_worker;
GRANT USAGE ON SEQUENCE allowance_versions TO sluice_worker;
GRANT SELECT ON allowances, alerts TO sluice_api;
