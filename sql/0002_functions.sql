-- What must be true for every client is done here once: partitions, repair of orphans, folding of sums.

CREATE FUNCTION today() RETURNS date LANGUAGE sql STABLE AS
$$ SELECT (now() AT TIME ZONE 'UTC')::date $$;

-- Partitions of the days and months from now to `ahead` days from now. Safe to run by many at once.
CREATE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	made integer := 0;
	base text;
	d date;
	m date;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('sluice.make_partitions'));
	FOREACH base IN ARRAY ARRAY['payloads', 'attempts', 'results'] LOOP
		FOR d IN SELECT generate_series(today() - 1, today() + ahead, interval '1 day')::date LOOP
			IF to_regclass(format('%I', base || to_char(d, '_YYYYMMDD'))) IS NULL THEN
				EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
					base || to_char(d, '_YYYYMMDD'), base, d, d + 1);
				made := made + 1;
			END IF;
		END LOOP;
	END LOOP;
	FOR m IN SELECT generate_series(date_trunc('month', today() - interval '1 day'), today() + ahead, interval '1 month')::date LOOP
		IF to_regclass(format('%I', 'ledger' || to_char(m, '_YYYYMM'))) IS NULL THEN
			EXECUTE format('CREATE TABLE %I PARTITION OF ledger FOR VALUES FROM (%L) TO (%L)',
				'ledger' || to_char(m, '_YYYYMM'), m, (m + interval '1 month')::date);
			made := made + 1;
		END IF;
	END LOOP;
	RETURN made;
END $$;
SELECT make_partitions(7);

-- Retention: terminal jobs of days older than `keep` become tombstones, their bodies go with the partition.
-- A day that still has an unfinished job, an open attempt (of a job of that day, whenever it was made: its money is
-- booked by the tags of the payload) or a debt in the outbox is kept whole.
CREATE FUNCTION drop_old_days(keep integer, keep_tombstones integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	dropped integer := 0;
	d date;
	base text;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtext('sluice.drop_old_days')) THEN
		RETURN 0;
	END IF;
	FOR d IN
		WITH days AS MATERIALIZED (
			SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'payloads'::regclass
		)
		SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM days
		WHERE to_date(right(relname, 8), 'YYYYMMDD') < today() - keep
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM jobs WHERE day = d AND state NOT IN ('DONE', 'DEAD', 'CANCELLED'))
			OR EXISTS (SELECT FROM attempts WHERE day = d AND state IN ('sent', 'unknown'))
			OR EXISTS (SELECT FROM attempts a JOIN jobs j USING (job_id)
				WHERE j.day = d AND a.day > d AND a.state IN ('sent', 'unknown'))
			OR EXISTS (SELECT FROM outbox o JOIN jobs j USING (job_id) WHERE j.day = d);
		WITH gone AS (DELETE FROM jobs WHERE day = d RETURNING job_id, run, hop, state, fingerprint)
		INSERT INTO tombstones (job_id, run, hop, state, fingerprint)
		SELECT job_id, run, hop, state, fingerprint FROM gone ON CONFLICT DO NOTHING;
		FOREACH base IN ARRAY ARRAY['payloads', 'attempts', 'results'] LOOP
			EXECUTE format('DROP TABLE IF EXISTS %I', base || to_char(d, '_YYYYMMDD'));
		END LOOP;
		dropped := dropped + 1;
	END LOOP;
	DELETE FROM tombstones WHERE buried_at < now() - make_interval(days => keep_tombstones);
	RETURN dropped;
END $$;

CREATE FUNCTION count_repair(what text, how_many bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO repairs (hour, kind, count)
	SELECT date_trunc('hour', now()), what, how_many WHERE how_many > 0
	ON CONFLICT (hour, kind) DO UPDATE SET count = repairs.count + excluded.count
$$;

-- Open attempts of these jobs whose answer will not come: their bound stands in the ledger as unknown
-- spend until the answer turns up after all or the provider's bill is reconciled.
CREATE FUNCTION write_off(jobs_lost uuid[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	lost integer;
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
	SELECT count(*) INTO lost FROM lost_attempts;
	PERFORM count_repair('attempt_unknown', lost);
	RETURN lost;
END $$;

-- Jobs whose worker is gone become PARKED, due now. The caller has judged itself fit to judge: its own
-- beats have succeeded without a gap for 20 s. Attempts are locked before jobs, as everywhere; a second
-- pass finds attempts that slipped in before the job's row was ours.
CREATE FUNCTION repair_orphans(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	orphans uuid[];
	repaired uuid[];
BEGIN
	SELECT array_agg(job_id) INTO orphans FROM (
		SELECT j.job_id FROM jobs j LEFT JOIN workers w ON w.worker_id = j.owner
		WHERE j.state = 'CLAIMED' AND (w.worker_id IS NULL OR w.ended_at IS NOT NULL
			OR w.beat_at < now() - interval '15 s')
		LIMIT most) found;
	IF orphans IS NULL THEN
		RETURN 0;
	END IF;
	PERFORM FROM attempts WHERE job_id = ANY (orphans) AND state = 'sent' ORDER BY attempt_id FOR UPDATE;
	WITH locked AS (
		SELECT j.job_id, coalesce(w.stopping OR w.ended_at IS NOT NULL, false) AS asked_to_stop
		FROM jobs j LEFT JOIN workers w ON w.worker_id = j.owner
		WHERE j.job_id = ANY (orphans) AND j.state = 'CLAIMED'
			AND (w.worker_id IS NULL OR w.ended_at IS NOT NULL OR w.beat_at < now() - interval '15 s')
		ORDER BY j.job_id FOR UPDATE OF j SKIP LOCKED
	), parked AS (
		UPDATE jobs j SET state = 'PARKED', reason = 'orphan', due = now(), owner = NULL, epoch = j.epoch + 1,
			crash_count = j.crash_count + CASE WHEN l.asked_to_stop THEN 0 ELSE 1 END, changed_at = now()
		FROM locked l WHERE j.job_id = l.job_id RETURNING j.job_id
	)
	SELECT array_agg(job_id) INTO repaired FROM parked;
	IF repaired IS NULL THEN
		RETURN 0;
	END IF;
	PERFORM write_off(repaired);
	PERFORM count_repair('orphan', cardinality(repaired));
	RETURN cardinality(repaired);
END $$;

-- Fold the oldest deltas into the sums, in key order so that two folders cannot deadlock.
CREATE FUNCTION fold_rollups(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	folded integer;
BEGIN
	WITH picked AS (
		SELECT delta_id FROM rollup_deltas ORDER BY delta_id LIMIT most FOR UPDATE SKIP LOCKED
	), taken AS (
		DELETE FROM rollup_deltas d USING picked p WHERE d.delta_id = p.delta_id RETURNING d.*
	), summed AS (
		SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
			sum(calls) AS calls, sum(unpriced) AS unpriced, sum(amount) AS amount, sum(input) AS input,
			sum(cache_read) AS cache_read, sum(cache_write) AS cache_write, sum(output) AS output, count(*) AS deltas
		FROM taken GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
		ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	), stored AS (
		INSERT INTO rollups AS r (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
			kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output)
		SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
			calls, unpriced, amount, input, cache_read, cache_write, output FROM summed
		ON CONFLICT (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose)
		DO UPDATE SET calls = r.calls + excluded.calls, unpriced = r.unpriced + excluded.unpriced,
			amount = r.amount + excluded.amount, input = r.input + excluded.input,
			cache_read = r.cache_read + excluded.cache_read, cache_write = r.cache_write + excluded.cache_write,
			output = r.output + excluded.output
	)
	SELECT coalesce(sum(deltas), 0) INTO folded FROM summed;
	RETURN folded;
END $$;

-- Jobs a worker gives up without a decision become PARKED, due now. Attempts it names were surely not sent
-- and end without money; other open ones may have been, so their bound is written off as unknown.
CREATE FUNCTION hand_back(worker uuid, jobs_given uuid[], unsent uuid[], unsent_days integer[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
	given uuid[];
BEGIN
	UPDATE attempts a SET state = 'throttled', closed_at = now(), verdict = 'not_sent', reply = 'not_sent'
	FROM unnest(unsent, unsent_days) AS t(attempt_id, day_no)
	WHERE a.day = date '2000-01-01' + t.day_no AND a.attempt_id = t.attempt_id AND a.state = 'sent';
	WITH back AS (
		UPDATE jobs SET state = 'PARKED', reason = 'handed_back', due = now(), owner = NULL, changed_at = now()
		WHERE job_id = ANY (jobs_given) AND owner = worker AND state = 'CLAIMED'
		RETURNING job_id
	)
	SELECT array_agg(job_id) INTO given FROM back;
	PERFORM write_off(given);
	RETURN QUERY SELECT unnest(given);
END $$;
