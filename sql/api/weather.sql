-- How fast work flows: calls of the last 20 seconds with their output by tier, lane and task.
SELECT tier, lane::text AS lane, task, count(*) AS calls, coalesce(sum(output), 0)::int8 AS output
FROM ledger WHERE sent_at > now() - interval '20 s' AND kind = 'charge' GROUP BY 1, 2, 3
LIMIT 10000
