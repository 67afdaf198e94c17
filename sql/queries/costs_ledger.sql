-- The same from the ledger itself, by any of its tags: slower, exact to the second.
--  $1 to $4 names of dimensions (null: none), $5 how far back in seconds, $6 until how far back, $7 filter as a JSON object, $8 with a total
WITH rows AS (
	SELECT to_char(sent_at, 'YYYY-MM-DD HH24:00') AS hour, to_char(sent_at, 'YYYY-MM-DD') AS day, to_char(sent_at, 'YYYY-MM') AS month,
		CASE WHEN free_plan THEN 'free' ELSE 'paid' END AS plan, lane, business_unit, feature, environment, usage_tier,
		user_name AS user, task, prompt_name, prompt_version, provider, model, credential, tier, mode, kind, purpose, job_id AS job,
		amount, input, cache_read, cache_write + cache_write_1h AS cache_write, output
	FROM ledger
	WHERE month >= date_trunc('month', now() - make_interval(secs => $5))::date - 31
		AND sent_at >= now() - make_interval(secs => $5) AND sent_at <= now() - make_interval(secs => $6)
), keyed AS (
	SELECT to_jsonb(r) ->> $1 AS d1, to_jsonb(r) ->> $2 AS d2, to_jsonb(r) ->> $3 AS d3, to_jsonb(r) ->> $4 AS d4,
		kind, purpose, amount, input, cache_read, cache_write, output
	FROM rows r WHERE to_jsonb(r) @> $7::jsonb
)
SELECT coalesce(d1, '') AS d1, coalesce(d2, '') AS d2, coalesce(d3, '') AS d3, coalesce(d4, '') AS d4,
	(count(*) FILTER (WHERE kind NOT IN ('adjustment', 'share')))::text AS "calls#",
	trim_scale(coalesce(sum(amount), 0) / 1e12)::text AS "usd#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE purpose <> 'accepted'), 0) / 1e12)::text AS "usd not accepted#",
	trim_scale(coalesce(sum(amount) FILTER (WHERE purpose = 'unknown'), 0) / 1e12)::text AS "usd unknown#",
	(count(*) FILTER (WHERE amount IS NULL))::text AS "unpriced#",
	coalesce(sum(input), 0)::text AS "input#", coalesce(sum(cache_read), 0)::text AS "cached#",
	coalesce(sum(output), 0)::text AS "output#", (grouping(d1, d2, d3, d4) <> 0) AS is_total
FROM keyed
GROUP BY GROUPING SETS ((d1, d2, d3, d4), ())
HAVING grouping(d1, d2, d3, d4) = 0 OR $8
ORDER BY grouping(d1, d2, d3, d4), CASE WHEN $1 IN ('hour', 'day', 'month') THEN d1 END, sum(amount) DESC NULLS LAST, 1, 2, 3, 4
