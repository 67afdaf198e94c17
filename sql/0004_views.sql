-- What analysts ask, answered. Money in US dollars, times in UTC. All of it is cost, traffic and latency:
-- no prompt and no output can be reached from here.

CREATE VIEW spend_hourly AS
SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
	sum(calls)::bigint AS calls, sum(unpriced)::bigint AS unpriced_calls, sum(amount) / 1e12 AS usd,
	sum(input)::bigint AS input_tokens, sum(cache_read)::bigint AS cache_read_tokens,
	sum(cache_write)::bigint AS cache_write_tokens, sum(output)::bigint AS output_tokens
FROM (
	SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
		calls, unpriced, amount, input, cache_read, cache_write, output FROM rollups
	UNION ALL
	SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
		calls, unpriced, amount, input, cache_read, cache_write, output FROM rollup_deltas
) both_parts
GROUP BY hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose;
COMMENT ON VIEW spend_hourly IS
	'Every dollar by hour and all tags, including what is not folded into the sums yet. The base of the other views.';

CREATE VIEW cost_per_business_unit_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, business_unit, provider, model, sum(usd) AS usd, sum(calls)::bigint AS calls,
	sum(usd) FILTER (WHERE purpose = 'accepted') AS accepted_usd, sum(usd) FILTER (WHERE kind = 'unknown') AS unknown_usd,
	sum(unpriced_calls)::bigint AS unpriced_calls
FROM spend_hourly GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW cost_per_business_unit_day IS 'What each business unit spent on a day (UTC), on which models.';

CREATE VIEW cost_per_feature_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, business_unit, feature, sum(usd) AS usd, sum(calls)::bigint AS calls,
	sum(input_tokens + cache_read_tokens + cache_write_tokens)::bigint AS prompt_tokens, sum(output_tokens)::bigint AS output_tokens
FROM spend_hourly GROUP BY 1, 2, 3;
COMMENT ON VIEW cost_per_feature_day IS 'What each feature of a business unit spent on a day (UTC).';

CREATE VIEW cost_per_environment_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, environment, business_unit, sum(usd) AS usd, sum(calls)::bigint AS calls
FROM spend_hourly GROUP BY 1, 2, 3;
COMMENT ON VIEW cost_per_environment_day IS 'What each environment (production, staging …) spent on a day (UTC).';

CREATE VIEW cost_per_usage_tier_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, usage_tier, business_unit, sum(usd) AS usd, sum(calls)::bigint AS calls
FROM spend_hourly GROUP BY 1, 2, 3;
COMMENT ON VIEW cost_per_usage_tier_day IS 'What the customers of each usage tier cost on a day (UTC).';

CREATE VIEW cost_per_model_day AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, provider, model, tier, lane, sum(usd) AS usd, sum(calls)::bigint AS calls,
	sum(input_tokens + cache_read_tokens + cache_write_tokens)::bigint AS prompt_tokens, sum(output_tokens)::bigint AS output_tokens,
	1e6 * sum(usd) / nullif(sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens), 0) AS usd_per_million_tokens
FROM spend_hourly WHERE kind <> 'unknown' GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW cost_per_model_day IS
	'Spend, tokens and the price actually paid per million tokens, by model, tier and lane, over time. Lost answers left out.';

CREATE VIEW cache_share_per_feature AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, business_unit, feature, sum(cache_read_tokens)::bigint AS cache_read_tokens,
	sum(input_tokens + cache_read_tokens + cache_write_tokens)::bigint AS prompt_tokens,
	sum(cache_read_tokens)::numeric / nullif(sum(input_tokens + cache_read_tokens + cache_write_tokens), 0) AS cache_read_share
FROM spend_hourly GROUP BY 1, 2, 3;
COMMENT ON VIEW cache_share_per_feature IS 'How much of each feature''s prompt tokens came from the provider''s prompt cache.';

CREATE VIEW reroutes AS
SELECT (sent_at AT TIME ZONE 'UTC')::date AS day, task, prompt_name, prompt_version, count(DISTINCT job_id) AS jobs, count(*) AS calls,
	count(*) FILTER (WHERE purpose = 'repair') AS repairs, count(*) FILTER (WHERE purpose IN ('fallback', 'retry')) AS fallbacks,
	count(*) FILTER (WHERE purpose IN ('escalate', 'widen')) AS escalations,
	count(*) FILTER (WHERE purpose IN ('repair', 'fallback', 'retry', 'escalate', 'widen'))::numeric / nullif(count(DISTINCT job_id), 0)
		AS reroutes_per_job
FROM ledger WHERE kind <> 'adjustment' GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW reroutes IS
	'How often a paid answer of a task and prompt version had to be asked for again: repairs, fallbacks, escalations per job.';

CREATE VIEW waste AS
SELECT (hour AT TIME ZONE 'UTC')::date AS day, business_unit, feature, task, purpose AS reason, sum(usd) AS usd, sum(calls)::bigint AS calls
FROM spend_hourly WHERE purpose <> 'accepted' GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW waste IS 'Spend that bought no accepted answer, by reason: repair, escalate, refused, late, unknown …';

CREATE VIEW spend_share_per_feature AS
SELECT day, business_unit, feature, usd, calls, usd / nullif(sum(usd) OVER (PARTITION BY day), 0) AS spend_share,
	calls::numeric / nullif(sum(calls) OVER (PARTITION BY day), 0) AS traffic_share
FROM cost_per_feature_day;
COMMENT ON VIEW spend_share_per_feature IS
	'Each feature''s share of the day''s spend beside its share of the day''s calls: a feature far dearer than its traffic stands out.';

CREATE VIEW latency AS
SELECT a.day, l.task, a.provider, coalesce(nullif(a.answered_model, ''), a.model) AS model, count(*) AS calls,
	percentile_disc(0.50) WITHIN GROUP (ORDER BY a.total_ms) AS p50_ms, percentile_disc(0.95) WITHIN GROUP (ORDER BY a.total_ms) AS p95_ms,
	percentile_disc(0.99) WITHIN GROUP (ORDER BY a.total_ms) AS p99_ms, percentile_disc(0.50) WITHIN GROUP (ORDER BY a.ttfb_ms) AS first_byte_p50_ms,
	percentile_disc(0.99) WITHIN GROUP (ORDER BY a.ttfb_ms) AS first_byte_p99_ms
FROM attempts a JOIN ledger l ON l.attempt_id = a.attempt_id AND l.kind = 'charge' AND l.month = date_trunc('month', a.day)::date
WHERE a.state = 'closed' GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW latency IS 'How long answered calls took, by day, task and model: p50, p95, p99, and to the first byte. Milliseconds.';
