-- What ended within the last $1 seconds. Days are partitions: only today's and yesterday's are read.
SELECT lower(outcome::text) AS outcome, reason, coalesce(tier, '') AS tier, count(*)::text AS "jobs#",
	round(count(*) / $1::numeric, 2)::text AS "per s#", coalesce(trim_scale(sum(cost) / 1e12)::text, '') AS "usd#"
FROM results WHERE day >= today() - 1 AND finished_at >= now() - make_interval(secs => $1)
GROUP BY outcome, reason, tier ORDER BY count(*) DESC, 1, 2, 3
