-- What is known of batches beyond each one's own row: how long those of a model took of late, what one cost and saved,
-- and which are left lying at their provider until it throws the results away.

ALTER TABLE batches ADD COLUMN saved numeric;
COMMENT ON COLUMN batches.saved IS 'What its charges would have cost call by call, less what they cost; pico-dollars, known at the end.';
CREATE INDEX batches_closed ON batches (closed_at) WHERE state = 'imported';
CREATE INDEX batches_unclosed ON batches (provider, state) WHERE state NOT IN ('imported', 'failed');

-- How long 95 of 100 recent batches of each model took at most, from their submission until all was settled: of the last
-- fifty of two weeks. One that was cancelled would have taken longer, nobody knows how long: it counts as a day at least.
-- So do those count that are under way and already take longer than the others did.
CREATE FUNCTION batch_times() RETURNS TABLE (provider text, model text, batches integer, p95_s double precision) LANGUAGE sql STABLE AS $$
	WITH recent AS (
		SELECT b.provider, b.model, extract(epoch FROM b.closed_at - b.intended_at)::float8 AS took,
			b.cancel_requested OR b.rescued * 2 > b.lines AS cancelled,
			row_number() OVER (PARTITION BY b.provider, b.model ORDER BY b.closed_at DESC) AS number
		FROM batches b WHERE b.state = 'imported' AND b.closed_at > now() - interval '14 days' AND b.intended_at IS NOT NULL
	), ended AS (
		SELECT r.provider, r.model, CASE WHEN r.cancelled THEN greatest(r.took, 86400) ELSE r.took END AS took
		FROM recent r WHERE number <= 50
	), slow AS (
		SELECT b.provider, b.model, extract(epoch FROM now() - b.intended_at)::float8 AS took
		FROM batches b JOIN (SELECT e.provider, e.model, percentile_disc(0.95) WITHIN GROUP (ORDER BY took) AS p95
			FROM ended e GROUP BY 1, 2) m ON m.provider = b.provider AND m.model = b.model
		WHERE b.state IN ('intended', 'uploaded', 'created', 'running', 'ended')
			AND b.intended_at < now() - make_interval(secs => m.p95)
	)
	SELECT a.provider, a.model, count(*)::integer, percentile_disc(0.95) WITHIN GROUP (ORDER BY took)
	FROM (SELECT * FROM ended UNION ALL SELECT * FROM slow) a GROUP BY 1, 2
$$;

-- What a batch has cost so far, and what its charges would have cost call by call.
CREATE FUNCTION batch_money(batch uuid) RETURNS TABLE (amount numeric, charged numeric, in_sync numeric, charges bigint, unknown bigint,
	late bigint) LANGUAGE sql STABLE AS $$
	WITH sums AS (
		SELECT l.provider, l.model, a.model AS asked, l.kind, min(l.sent_at) AS sent_at, sum(l.amount) AS amount, count(*) AS rows,
			count(*) FILTER (WHERE l.purpose = 'late') AS late, sum(l.input) AS input, sum(l.cache_read) AS cache_read,
			sum(l.cache_write) AS cache_write, sum(l.cache_write_1h) AS cache_write_1h, sum(l.output) AS output
		FROM attempts a JOIN ledger l ON l.month = date_trunc('month', a.day)::date AND l.attempt_id = a.attempt_id
		WHERE a.batch_id = batch GROUP BY 1, 2, 3, 4
	)
	SELECT sum(s.amount), sum(s.amount) FILTER (WHERE s.kind = 'charge'),
		sum(s.input * p.input + s.cache_read * p.cache_read + s.cache_write * p.cache_write + s.cache_write_1h * p.cache_write_1h
			+ s.output * p.output) FILTER (WHERE s.kind = 'charge'),
		coalesce(sum(s.rows) FILTER (WHERE s.kind = 'charge'), 0)::bigint,
		coalesce(sum(s.rows) FILTER (WHERE s.kind = 'unknown'), 0)::bigint, coalesce(sum(s.late), 0)::bigint
	FROM sums s LEFT JOIN LATERAL (
		SELECT * FROM prices p WHERE p.provider = s.provider AND p.mode = 'sync' AND p.model IN (s.model, s.asked)
			AND p.effective_from <= s.sent_at ORDER BY p.model = s.model DESC, p.effective_from DESC LIMIT 1
	) p ON true
$$;

-- Whether the jobs of a batch that is under way will be in time: how many have a deadline, how many must leave before the
-- batch is to be expected back, how many within the hour.
CREATE FUNCTION batch_risk(batch uuid, expected timestamptz) RETURNS TABLE (dated bigint, early bigint, soon bigint)
LANGUAGE sql STABLE AS $$
	SELECT count(j.due), count(*) FILTER (WHERE j.due < expected), count(*) FILTER (WHERE j.due < now() + interval '1 hour')
	FROM jobs j WHERE j.batch_id = batch AND j.state = 'BATCHED'
$$;

-- How long a provider keeps the results: OpenAI 30 days from the end, Anthropic 29 from the beginning.
CREATE FUNCTION batch_retention(dialect text) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE dialect WHEN 'anthropic' THEN interval '29 days' ELSE interval '30 days' END
$$;

-- Half of that has passed, and what was paid for is not imported: an alert, once a batch.
CREATE FUNCTION raise_batch_alarms() RETURNS integer LANGUAGE sql AS $$
	WITH old AS (
		SELECT b.*, coalesce(CASE WHEN b.dialect <> 'anthropic' THEN b.ended_at END, b.created_at, b.create_intended_at) AS since
		FROM batches b WHERE b.state NOT IN ('imported', 'failed')
	)
	SELECT count(*) FILTER (WHERE alert('retention', provider || '/' || coalesce(provider_batch_id, batch_id::text), 'half',
		jsonb_build_object('batch', batch_id, 'state', state, 'lines', lines, 'reason', reason,
			'gone_at', since + batch_retention(dialect), 'reserved_usd', round(reserved / 1e12, 6))))::integer
	FROM old WHERE since < now() - batch_retention(dialect) / 2
$$;

REVOKE EXECUTE ON FUNCTION batch_times(), batch_money(uuid), batch_risk(uuid, timestamptz), batch_retention(text),
	raise_batch_alarms() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batch_times(), batch_money(uuid), batch_risk(uuid, timestamptz), batch_retention(text),
	raise_batch_alarms() TO sluice_worker;
GRANT EXECUTE ON FUNCTION batch_times() TO sluice_api;
