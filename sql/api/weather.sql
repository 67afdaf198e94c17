-- How fast work flows: calls of the last 20 seconds with their output by tier, lane and task; and, with task null, how many
-- accepted jobs wait for a worker.
SELECT tier, lane::text AS lane, task, count(*) AS calls, coalesce(sum(output), 0)::int8 AS output
FROM ledger WHERE sent_at > now() - interval '20 s' AND kind = 'charge' GROUP BY 1, 2, 3
UNION ALL
SELECT tier, lane::text, NULL, count(*), 0
FROM (SELECT tier, lane FROM jobs WHERE state = 'QUEUED' LIMIT 100000) waiting GROUP BY 1, 2
LIMIT 10000
