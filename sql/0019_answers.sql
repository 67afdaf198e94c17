-- The exact answer cache. An answer that was accepted is given again to whoever asks exactly the same; who asks while it is
-- being asked waits for the one call, and bears a part of its cost. Keys are digests of the question (common/answer_key.h).

CREATE TABLE answers (
	key            bytea PRIMARY KEY,
	expires_at     timestamptz NOT NULL,
	made_at        timestamptz NOT NULL DEFAULT now(),
	made_by        uuid NOT NULL,
	business_unit  text NOT NULL,
	task           text NOT NULL,
	prompt_name    text NOT NULL,
	prompt_version text NOT NULL,
	tier           text NOT NULL,
	provider       text NOT NULL,
	model          text NOT NULL,
	is_json        boolean NOT NULL,
	unmeasured     boolean NOT NULL,
	confidence     real,
	output         bytea COMPRESSION lz4 NOT NULL
);
CREATE INDEX answers_expiry ON answers (expires_at);
COMMENT ON TABLE answers IS 'Accepted answers that are given again until they expire, by the digest of their question.';
COMMENT ON COLUMN answers.made_by IS 'The job that was called for it.';

-- Who is called for a question now. A leader that is no longer CLAIMED under its epoch leads nobody: whoever asks next takes
-- its place, so nothing has to be undone when a worker dies. So does whoever has precedence: express does not wait for normal.
-- Nor does an equal for one that has been at it for a minute, slow or in a back-off: one more call a minute at the most.
CREATE TABLE answer_leads (
	key          bytea PRIMARY KEY,
	job_id       uuid NOT NULL,
	epoch        integer NOT NULL,
	since        timestamptz NOT NULL DEFAULT now(),
	spoilt_until timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX answer_leads_since ON answer_leads (since);
COMMENT ON COLUMN answer_leads.spoilt_until IS 'Its leader got no answer that can be given again: until then each job is called by itself.';

-- Jobs PARKED as same_job, by what they wait for. A row too many does no harm.
CREATE TABLE answer_followers (
	key    bytea NOT NULL,
	job_id uuid NOT NULL,
	since  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (key, job_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX answer_followers_since ON answer_followers (since);

-- Before a job is called: is its answer there (hit), is it to be called (lead, and go where that helps nobody else), or does
-- it wait for another's call (wait: it is PARKED then, for `wait_ms` at the longest; 0: it has no time to)?
-- Each step is a statement of its own, because each must see what was committed while the one before waited for its lock:
-- who has the lock of a key sees the answer of whoever had it before. Locks: leads by key, then jobs. A settle has its jobs
-- first, and then leads, so we wait for no job: whose row another has is not parked, but goes, and its intent finds out why.
CREATE FUNCTION recall(worker uuid, ids uuid[], epochs integer[], keys bytea[], wait_ms bigint[])
RETURNS TABLE (said_job uuid, said_verdict text, said_provider text, said_model text, said_json boolean, said_unmeasured boolean,
	said_confidence real, said_output bytea) LANGUAGE plpgsql AS $$
DECLARE
	known bytea[];
	waiting uuid[];
BEGIN
	SELECT coalesce(array_agg(a.key), '{}') INTO known FROM answers a WHERE a.key = ANY (keys) AND a.expires_at > now();
	INSERT INTO answer_leads (key, job_id, epoch)
	SELECT DISTINCT ON (t.key) t.key, t.job_id, t.epoch FROM unnest(ids, epochs, keys) AS t(job_id, epoch, key)
	WHERE t.key <> ALL (known) ORDER BY t.key, t.job_id
	ON CONFLICT (key) DO UPDATE SET since = answer_leads.since; -- takes its lock

	SELECT coalesce(array_agg(a.key), '{}') INTO known FROM answers a WHERE a.key = ANY (keys) AND a.expires_at > now();
	RETURN QUERY SELECT t.job_id, 'hit', a.provider, a.model, a.is_json, a.unmeasured, a.confidence, a.output
	FROM unnest(ids, keys) AS t(job_id, key) JOIN answers a ON a.key = t.key WHERE t.key = ANY (known);
	DELETE FROM answer_leads l USING unnest(ids, epochs) AS t(job_id, epoch)
	WHERE l.key = ANY (known) AND l.job_id = t.job_id AND l.epoch = t.epoch;

	UPDATE answer_leads l SET job_id = n.job_id, epoch = n.epoch, since = now(), spoilt_until = NULL
	FROM (SELECT DISTINCT ON (t.key) t.key, t.job_id, t.epoch, j.lane, j.free_plan
		FROM unnest(ids, epochs, keys) AS t(job_id, epoch, key) JOIN jobs j ON j.job_id = t.job_id
		WHERE t.key <> ALL (known) ORDER BY t.key, j.lane, j.free_plan, t.job_id) n
	WHERE l.key = n.key AND (l.spoilt_until IS NULL OR l.spoilt_until <= now())
		AND NOT EXISTS (SELECT FROM jobs j WHERE j.job_id = l.job_id AND j.epoch = l.epoch AND j.state = 'CLAIMED'
			AND ((j.lane, j.free_plan) < (n.lane, n.free_plan)
				OR (j.lane, j.free_plan) = (n.lane, n.free_plan) AND l.since > now() - interval '1 minute'));

	WITH mine AS (
		SELECT t.job_id, t.key, t.wait FROM unnest(ids, epochs, keys, wait_ms) AS t(job_id, epoch, key, wait)
		JOIN jobs j ON j.job_id = t.job_id AND j.epoch = t.epoch AND j.owner = worker AND j.state = 'CLAIMED'
			AND NOT j.cancel_requested
		JOIN answer_leads l ON l.key = t.key AND l.job_id <> t.job_id AND (l.spoilt_until IS NULL OR l.spoilt_until <= now())
		WHERE t.key <> ALL (known) AND t.wait > 0 ORDER BY t.job_id FOR UPDATE OF j SKIP LOCKED
	), parked AS (
		UPDATE jobs j SET state = 'PARKED', reason = 'same_job', owner = NULL, changed_at = now(),
			due = now() + make_interval(secs => m.wait / 1000.0)
		FROM mine m WHERE j.job_id = m.job_id RETURNING j.job_id, m.key
	), noted AS (
		INSERT INTO answer_followers (key, job_id) SELECT p.key, p.job_id FROM parked p
		ON CONFLICT DO NOTHING
	)
	SELECT coalesce(array_agg(p.job_id), '{}') INTO waiting FROM parked p;
	RETURN QUERY SELECT t.job_id, CASE WHEN t.job_id = ANY (waiting) THEN 'wait'
			WHEN l.job_id = t.job_id AND l.epoch = t.epoch AND l.spoilt_until IS NULL THEN 'lead' ELSE 'go' END,
		NULL::text, NULL::text, NULL::boolean, NULL::boolean, NULL::real, NULL::bytea
	FROM unnest(ids, epochs, keys) AS t(job_id, epoch, key) LEFT JOIN answer_leads l ON l.key = t.key
	WHERE t.key <> ALL (known);
END $$;

-- Called by the settle that accepts an answer, in its transaction; the latest stands.
CREATE FUNCTION keep_answer(question bytea, ttl_ms bigint, job_day date, job uuid, by_tier text, by_provider text, by_model text, json boolean,
	unsure boolean, measured double precision, answer bytea) RETURNS void LANGUAGE sql AS $$
	INSERT INTO answers (key, expires_at, made_by, business_unit, task, prompt_name, prompt_version, tier, provider, model, is_json,
		unmeasured, confidence, output)
	SELECT question, now() + make_interval(secs => ttl_ms / 1000.0), job, p.business_unit, p.task, p.prompt_name, p.prompt_version,
		by_tier, by_provider, by_model, json, unsure, measured, answer
	FROM payloads p WHERE p.day = job_day AND p.job_id = job
	ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at, made_at = excluded.made_at, made_by = excluded.made_by,
		tier = excluded.tier, provider = excluded.provider, model = excluded.model, is_json = excluded.is_json,
		unmeasured = excluded.unmeasured, confidence = excluded.confidence, output = excluded.output
$$;

-- What followers bear of a call: the part of each is the same, what does not divide stays with the leader, and the sum is
-- nothing, so that the ledger of the attempt remains the bill. Rows of shares are no calls.
CREATE FUNCTION share_cost(paid uuid, paid_month date, sharers uuid[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	parts integer;
BEGIN
	WITH charge AS (
		SELECT * FROM ledger WHERE month = paid_month AND attempt_id = paid AND kind = 'charge' AND amount > 0
	), sharer AS (
		SELECT t.seq, j.job_id, j.run, j.hop, j.lane, p.free_plan, p.business_unit, p.feature, p.environment, p.usage_tier,
			p.user_name, p.task, p.prompt_name, p.prompt_version
		FROM unnest(sharers[:30000]) WITH ORDINALITY AS t(job_id, seq) JOIN jobs j USING (job_id)
		JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
	), part AS (
		SELECT c.*, trunc(c.amount / (1 + s.number)) AS each, s.number FROM charge c, (SELECT count(*) AS number FROM sharer) s
		WHERE s.number > 0
	), shared AS (
		INSERT INTO ledger (month, attempt_id, kind, seq, job_id, run, hop, sent_at, amount, free_plan, lane, business_unit, feature,
			environment, usage_tier, user_name, task, prompt_name, prompt_version, provider, model, credential, tier, mode, purpose)
		SELECT c.month, c.attempt_id, 'share'::ledger_kind, 0, c.job_id, c.run, c.hop, c.sent_at, -c.each * c.number, c.free_plan, c.lane,
			c.business_unit, c.feature, c.environment, c.usage_tier, c.user_name, c.task, c.prompt_name, c.prompt_version,
			c.provider, c.model, c.credential, c.tier, c.mode, c.purpose
		FROM part c
		UNION ALL
		SELECT c.month, c.attempt_id, 'share'::ledger_kind, s.seq, s.job_id, s.run, s.hop, c.sent_at, c.each, s.free_plan, s.lane,
			s.business_unit, s.feature, s.environment, s.usage_tier, s.user_name, s.task, s.prompt_name, s.prompt_version,
			c.provider, c.model, c.credential, c.tier, c.mode, c.purpose
		FROM part c, sharer s
		RETURNING *
	), summed AS (
		INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
			kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output)
		SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
			kind, purpose, 0, 0, sum(amount), 0, 0, 0, 0
		FROM shared GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	)
	SELECT count(*) INTO parts FROM shared;
	RETURN parts;
END $$;

-- A leader was decided, in the same transaction: kept (its answer is there), failed (it has none that can be given again),
-- left (cancelled, moved away, at a limit of its own), parked. Who waits for it is due now: but for one that left only the
-- next, who leads, as it may leave for the same reason; for a parked one nobody: it will be back, and if not, the next of
-- them to be due leads. After a failure each is called by itself for a minute, so that a bad question does not go round them
-- one by one. An answer that is kept frees whoever waits for it, and those bear a part of the call (paid: its attempt, or
-- null). No more than 5,000 at once, to keep the settle short: the others are due within their minute, and pay nothing.
CREATE FUNCTION release_followers(asked bytea[], leaders uuid[], ends text[], paid uuid[], paid_months date[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	freed bytea[];
	many bytea[];
	woken integer;
	shared integer;
BEGIN
	PERFORM FROM answer_leads WHERE key = ANY (asked) ORDER BY key FOR UPDATE;
	WITH ended AS (
		SELECT t.key, t.job_id, t.how FROM unnest(asked, leaders, ends) AS t(key, job_id, how)
	), gone AS (
		DELETE FROM answer_leads l USING ended e WHERE l.key = e.key AND l.job_id = e.job_id AND e.how <> 'failed'
		RETURNING l.key, e.how
	), spoilt AS (
		UPDATE answer_leads l SET spoilt_until = now() + interval '1 minute' FROM ended e
		WHERE l.key = e.key AND l.job_id = e.job_id AND e.how = 'failed' RETURNING l.key
	)
	SELECT array_agg(DISTINCT key), coalesce(array_agg(DISTINCT key) FILTER (WHERE how <> 'left'), '{}') INTO freed, many FROM (
		SELECT key, how FROM gone WHERE how <> 'parked' UNION ALL SELECT key, 'failed' FROM spoilt
		UNION ALL SELECT key, how FROM ended WHERE how = 'kept') f;
	IF freed IS NULL OR NOT EXISTS (SELECT FROM answer_followers WHERE key = ANY (freed)) THEN
		RETURN 0;
	END IF;
	WITH waiting AS ( -- who is locked is being pulled or cancelled, and asks by itself
		SELECT w.key, w.job_id FROM unnest(freed) AS t(key), LATERAL (
			SELECT f.key, j.job_id FROM answer_followers f JOIN jobs j USING (job_id)
			WHERE f.key = t.key AND j.state = 'PARKED' AND j.reason = 'same_job'
			ORDER BY f.job_id LIMIT CASE WHEN t.key = ANY (many) THEN 5000 ELSE 1 END FOR UPDATE OF j SKIP LOCKED) w
		LIMIT 5000
	), due AS (
		UPDATE jobs j SET due = now() FROM waiting w WHERE j.job_id = w.job_id RETURNING w.key, j.job_id
	), forgotten AS (
		DELETE FROM answer_followers f USING due d WHERE f.key = d.key AND f.job_id = d.job_id
	), sharing AS (
		SELECT d.key, array_agg(d.job_id ORDER BY d.job_id) AS jobs FROM due d GROUP BY d.key
	), buyer AS (
		SELECT DISTINCT ON (t.key) t.key, t.attempt_id, t.month FROM unnest(asked, ends, paid, paid_months) AS t(key, how, attempt_id, month)
		WHERE t.how = 'kept' AND t.attempt_id IS NOT NULL ORDER BY t.key, t.attempt_id
	), split AS MATERIALIZED (
		SELECT share_cost(b.attempt_id, b.month, s.jobs) AS rows FROM buyer b JOIN sharing s USING (key)
	)
	SELECT (SELECT count(*) FROM due), (SELECT sum(rows) FROM split) INTO woken, shared;
	RETURN woken;
END $$;

-- What is out of date. Answers as they expire; what leaders and followers that are gone have left, now and then.
CREATE FUNCTION expire_answers(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	expired integer;
BEGIN
	DELETE FROM answers WHERE key IN (
		SELECT a.key FROM answers a WHERE a.expires_at <= now() ORDER BY a.expires_at LIMIT most FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS expired = ROW_COUNT;
	RETURN expired;
END $$;

CREATE FUNCTION forget_leads(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	forgotten integer;
BEGIN
	DELETE FROM answer_leads WHERE key IN (
		SELECT l.key FROM answer_leads l WHERE l.since < now() - interval '1 hour' AND coalesce(l.spoilt_until, now()) <= now()
			AND NOT EXISTS (SELECT FROM jobs j WHERE j.job_id = l.job_id AND j.epoch = l.epoch AND j.state = 'CLAIMED')
		ORDER BY l.since LIMIT most FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS forgotten = ROW_COUNT;
	DELETE FROM answer_followers WHERE (key, job_id) IN (
		SELECT f.key, f.job_id FROM answer_followers f WHERE f.since < now() - interval '1 hour'
			AND NOT EXISTS (SELECT FROM jobs j WHERE j.job_id = f.job_id AND j.state = 'PARKED' AND j.reason = 'same_job')
		ORDER BY f.since LIMIT most FOR UPDATE SKIP LOCKED);
	RETURN forgotten;
END $$;

-- A share is no call.
CREATE OR REPLACE VIEW reroutes AS
SELECT (sent_at AT TIME ZONE 'UTC')::date AS day, task, prompt_name, prompt_version, count(DISTINCT job_id) AS jobs, count(*) AS calls,
	count(*) FILTER (WHERE purpose = 'repair') AS repairs, count(*) FILTER (WHERE purpose IN ('fallback', 'retry')) AS fallbacks,
	count(*) FILTER (WHERE purpose IN ('escalate', 'widen')) AS escalations,
	count(*) FILTER (WHERE purpose IN ('repair', 'fallback', 'retry', 'escalate', 'widen'))::numeric / nullif(count(DISTINCT job_id), 0)
		AS reroutes_per_job
FROM ledger WHERE kind NOT IN ('adjustment', 'share') GROUP BY 1, 2, 3, 4;

CREATE OR REPLACE VIEW cost_per_model_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, provider, model, tier, lane, sum(usd) AS usd, sum(calls)::bigint AS calls,
	sum(input_tokens + cache_read_tokens + cache_write_tokens)::bigint AS prompt_tokens, sum(output_tokens)::bigint AS output_tokens,
	1e6 * sum(usd) / nullif(sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens), 0) AS usd_per_million_tokens
FROM spend_hourly WHERE kind NOT IN ('unknown', 'share') GROUP BY 1, 2, 3, 4, 5;

-- Nor is it traffic: whoever was called has both the calls and what they cost.
CREATE OR REPLACE VIEW spend_share_per_feature AS
SELECT day, business_unit, feature, usd, calls, usd / nullif(sum(usd) OVER (PARTITION BY day), 0) AS spend_share,
	calls::numeric / nullif(sum(calls) OVER (PARTITION BY day), 0) AS traffic_share
FROM (
	SELECT (hour AT TIME ZONE 'UTC')::date AS day, business_unit, feature, sum(usd) AS usd, sum(calls)::bigint AS calls
	FROM spend_hourly WHERE kind <> 'share' GROUP BY 1, 2, 3
) called;

CREATE OR REPLACE FUNCTION share_anomalies(ts timestamptz, factor numeric, min_usd numeric, min_calls bigint) RETURNS integer LANGUAGE sql AS $$
	WITH features AS (
		SELECT business_unit, feature, sum(usd) AS usd, sum(calls) FILTER (WHERE kind <> 'adjustment') AS calls FROM spend_hourly
		WHERE hour > date_trunc('hour', ts) - interval '24 hours' AND hour <= ts AND kind <> 'share' GROUP BY 1, 2
	), shares AS (
		SELECT *, usd / nullif(sum(usd) OVER (), 0) AS spend, calls / nullif(sum(calls) OVER (), 0) AS traffic,
			sum(calls) OVER () AS all_calls
		FROM features
	)
	SELECT count(*) FILTER (WHERE alert('share', concat_ws('/', business_unit, nullif(feature, '')),
		to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
		jsonb_build_object('usd', round(usd, 6), 'spend_share', round(spend, 4), 'traffic_share', round(traffic, 4),
			'factor', factor)))::integer
	FROM shares WHERE factor > 0 AND all_calls >= min_calls AND usd >= min_usd AND spend > factor * traffic
$$;

REVOKE EXECUTE ON FUNCTION keep_answer(bytea, bigint, date, uuid, text, text, text, boolean, boolean, double precision, bytea),
	recall(uuid, uuid[], integer[], bytea[], bigint[]), share_cost(uuid, date, uuid[]),
	release_followers(bytea[], uuid[], text[], uuid[], date[]), expire_answers(integer), forget_leads(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_answer(bytea, bigint, date, uuid, text, text, text, boolean, boolean, double precision, bytea),
	recall(uuid, uuid[], integer[], bytea[], bigint[]), share_cost(uuid, date, uuid[]),
	release_followers(bytea[], uuid[], text[], uuid[], date[]), expire_answers(integer), forget_leads(integer) TO sluice_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON answers, answer_leads, answer_followers TO sluice_worker;
