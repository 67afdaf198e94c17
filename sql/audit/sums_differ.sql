-- The hourly sums, with what is not folded into them yet, are the ledger.
WITH sums AS (
	SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
		sum(calls) AS calls, sum(unpriced) AS unpriced, sum(amount) AS amount, sum(input) AS input, sum(cache_read) AS cache_read,
		sum(cache_write) AS cache_write, sum(output) AS output
	FROM (
		SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
			calls, unpriced, amount, input, cache_read, cache_write, output FROM rollups
		UNION ALL
		SELECT hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
			calls, unpriced, amount, input, cache_read, cache_write, output FROM rollup_deltas
	) both_kinds
	GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
), rows AS (
	SELECT date_trunc('hour', sent_at) AS hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
		kind, purpose, count(*) FILTER (WHERE kind <> 'share') AS calls, count(*) FILTER (WHERE amount IS NULL) AS unpriced, coalesce(sum(amount), 0) AS amount,
		sum(input) AS input, sum(cache_read) AS cache_read, sum(cache_write + cache_write_1h) AS cache_write, sum(output) AS output
	FROM ledger GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
)
SELECT to_char(hour, 'YYYY-MM-DD HH24:00') AS hour, business_unit AS unit, model, kind::text, purpose,
	coalesce(s.amount, 0)::text AS "pico in sums", coalesce(l.amount, 0)::text AS "pico in ledger",
	coalesce(s.calls, 0)::text AS "calls in sums", coalesce(l.calls, 0)::text AS "calls in ledger"
FROM sums s FULL JOIN rows l
	USING (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose)
WHERE (s.calls, s.unpriced, s.amount, s.input, s.cache_read, s.cache_write, s.output)
	IS DISTINCT FROM (l.calls, l.unpriced, l.amount, l.input, l.cache_read, l.cache_write, l.output)
