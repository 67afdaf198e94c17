-- Cost by up to four dimensions, from the hourly sums and what is not folded into them yet.
--  $1 to $4 names of dimensions (null: none), $5 how far back in seconds, $6 until how far back, $7 filter as a JSON object, $8 with a total
WITH sums AS (
	SELECT hour, to_char(hour, 'YYYY-MM-DD') AS day, to_char(hour, 'YYYY-MM') AS month, business_unit, feature, environment,
		usage_tier, task, provider, model, tier, lane, kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output
	FROM rollups
	WHERE hour >= date_trunc('hour', now() - make_interval(secs => $5)) AND hour <= now() - make_interval(secs => $6)
	UNION ALL
	SELECT hour, to_char(hour, 'YYYY-MM-DD'), to_char(hour, 'YYYY-MM'), business_unit, feature, environment,
		usage_tier, task, provider, model, tier, lane, kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output
	FROM rollup_deltas
	WHERE hour >= date_trunc('hour', now() - make_interval(secs => $5)) AND hour <= now() - make_interval(secs => $6)
), keyed AS (
	SELECT to_jsonb(s) ->> $1 AS d1, to_jsonb(s) ->> $2 AS d2, to_jsonb(s) ->> $3 AS d3, to_jsonb(s) ->> $4 AS d4,
		kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output
	FROM sums s WHERE to_jsonb(s) @> $7::jsonb
)
SELECT coalesce(d1, '') AS d1, coalesce(d2, '') AS d2, coalesce(d3, '') AS d3, coalesce(d4, '') AS d4,
	coalesce(sum(calls) FILTER (WHERE kind <> 'adjustment'), 0)::text AS "calls#",
	trim_scale(coalesce(sum(amount), 0) / 1e12)::text AS "usd#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE purpose <> 'accepted'), 0) / 1e12)::text AS "usd not accepted#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE purpose = 'unknown'), 0) / 1e12)::text AS "usd unknown#",
	coalesce(sum(unpriced), 0)::text AS "unpriced#",
	coalesce(sum(input), 0)::text AS "input#", coalesce(sum(cache_read), 0)::text AS "cached#",
	coalesce(sum(output), 0)::text AS "output#", (grouping(d1, d2, d3, d4) <> 0) AS is_total
FROM keyed
GROUP BY GROUPING SETS ((d1, d2, d3, d4), ())
HAVING grouping(d1, d2, d3, d4) = 0 OR $8
ORDER BY grouping(d1, d2, d3, d4), CASE WHEN $1 IN ('hour', 'day', 'month') THEN d1 END, sum(amount) DESC, 1, 2, 3, 4
