-- Anomalies of spending: an alert when a unit, a feature or a call costs far more than what was usual. Each has a least
-- amount, so that a quiet system does not cry wolf. Figures come from the hourly sums; the ledger is read for the last
-- ten minutes of suspects only.

CREATE INDEX ledger_dear ON ledger (sent_at) WHERE kind = 'charge' AND amount > 100000000000;

CREATE TABLE anomaly_rounds (only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one), at timestamptz NOT NULL);
INSERT INTO anomaly_rounds (at) VALUES ('epoch');

-- What each unit spends in a mean hour of the seven days before this one, and in this one. A unit seen for less than a
-- day has no mean.
CREATE FUNCTION unit_hours(ts timestamptz) RETURNS TABLE (unit text, mean numeric, usd numeric, before numeric) LANGUAGE sql STABLE AS $$
	WITH hours AS (
		SELECT business_unit, hour, sum(h.usd) AS usd FROM spend_hourly h
		WHERE hour >= date_trunc('hour', ts) - interval '7 days' AND hour <= ts GROUP BY 1, 2
	)
	SELECT business_unit, sum(h.usd) FILTER (WHERE hour < date_trunc('hour', ts))
			/ (extract(epoch FROM date_trunc('hour', ts) - min(hour)) / 3600),
		coalesce(sum(h.usd) FILTER (WHERE hour = date_trunc('hour', ts)), 0),
		coalesce(sum(h.usd) FILTER (WHERE hour = date_trunc('hour', ts) - interval '1 hour'), 0)
	FROM hours h GROUP BY 1 HAVING min(hour) <= date_trunc('hour', ts) - interval '24 hours'
$$;

-- An hour above so many times the mean hour; once an hour and unit.
CREATE FUNCTION hour_anomalies(ts timestamptz, factor numeric, min_usd numeric) RETURNS integer LANGUAGE sql AS $$
	SELECT count(*) FILTER (WHERE alert('hour', unit, to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
		jsonb_build_object('usd', round(usd, 6), 'mean_usd', round(mean, 6), 'factor', factor)))::integer
	FROM unit_hours(ts) WHERE factor > 0 AND usd >= min_usd AND usd > factor * mean
$$;

-- Ten minutes above so many times the mean ten minutes; once an hour and unit.
CREATE FUNCTION burst_anomalies(ts timestamptz, factor numeric, min_usd numeric) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	suspects text[];
	raised integer;
BEGIN
	SELECT array_agg(unit) INTO suspects FROM unit_hours(ts)
	WHERE factor > 0 AND usd + before >= min_usd AND usd + before > factor * mean / 6;
	IF suspects IS NULL THEN
		RETURN 0;
	END IF;
	SELECT count(*) FILTER (WHERE alert('burst', s.business_unit, to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
		jsonb_build_object('usd', round(s.usd, 6), 'mean_usd', round(u.mean / 6, 6), 'factor', factor))) INTO raised
	FROM (SELECT business_unit, sum(amount) / 1e12 AS usd FROM ledger
		WHERE sent_at > ts - interval '10 minutes' AND sent_at <= ts AND business_unit = ANY (suspects) GROUP BY 1) s
	JOIN unit_hours(ts) u ON u.unit = s.business_unit
	WHERE s.usd >= min_usd AND s.usd > factor * u.mean / 6;
	RETURN raised;
END $$;

-- Calls dearer than a price: one alert an hour and feature, naming the dearest.
CREATE FUNCTION request_anomalies(ts timestamptz, price numeric) RETURNS integer LANGUAGE sql AS $$
	WITH dear AS (
		SELECT business_unit, feature, date_trunc('hour', sent_at, 'UTC') AS hour, count(*) AS calls, max(amount) AS most,
			(array_agg(job_id ORDER BY amount DESC))[1] AS job_id, (array_agg(model ORDER BY amount DESC))[1] AS model
		FROM ledger WHERE price > 0 AND sent_at > ts - interval '26 hours' AND sent_at <= ts AND kind = 'charge'
			AND amount > 100000000000 AND amount > price * 1e12
		GROUP BY 1, 2, 3
	)
	SELECT count(*) FILTER (WHERE alert('request', concat_ws('/', business_unit, nullif(feature, '')),
		to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'),
		jsonb_build_object('usd', round(most / 1e12, 6), 'price_usd', price, 'job_id', job_id, 'model', model)))::integer FROM dear
$$;

-- A feature whose share of the last day's spending is so many times its share of the calls; once a day and feature.
CREATE FUNCTION share_anomalies(ts timestamptz, factor numeric, min_usd numeric, min_calls bigint) RETURNS integer LANGUAGE sql AS $$
	WITH features AS (
		SELECT business_unit, feature, sum(usd) AS usd, sum(calls) FILTER (WHERE kind <> 'adjustment') AS calls FROM spend_hourly
		WHERE hour > date_trunc('hour', ts) - interval '24 hours' AND hour <= ts GROUP BY 1, 2
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

-- A look at all of it, by one worker at a time and not more than twice a minute.
CREATE FUNCTION anomaly_round(hour_factor double precision, burst_factor double precision, request_usd double precision,
	share_factor double precision, min_usd double precision, min_calls bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	ts timestamptz := now();
BEGIN
	PERFORM FROM anomaly_rounds WHERE at < ts - interval '30 s' FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	UPDATE anomaly_rounds SET at = ts;
	RETURN hour_anomalies(ts, hour_factor::numeric, min_usd::numeric) + burst_anomalies(ts, burst_factor::numeric, min_usd::numeric)
		+ request_anomalies(ts, request_usd::numeric) + share_anomalies(ts, share_factor::numeric, min_usd::numeric, min_calls);
END $$;

REVOKE EXECUTE ON FUNCTION unit_hours(timestamptz), hour_anomalies(timestamptz, numeric, numeric),
	burst_anomalies(timestamptz, numeric, numeric), request_anomalies(timestamptz, numeric),
	share_anomalies(timestamptz, numeric, numeric, bigint), anomaly_round(double precision, double precision, double precision,
	double precision, double precision, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unit_hours(timestamptz), hour_anomalies(timestamptz, numeric, numeric),
	burst_anomalies(timestamptz, numeric, numeric), request_anomalies(timestamptz, numeric),
	share_anomalies(timestamptz, numeric, numeric, bigint), anomaly_round(double precision, double precision, double precision,
	double precision, double precision, bigint) TO sluice_worker;
GRANT SELECT, UPDATE ON anomaly_rounds TO sluice_worker;
