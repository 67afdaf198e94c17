-- Marks along the queues of accepted jobs that wait for a worker, the oldest job first: how many there are up to the one that
-- was accepted then. About 64 a queue, its last one always.
SELECT tier, lane, place, created_at FROM (
	SELECT tier, lane::text AS lane, created_at, row_number() OVER oldest AS place, count(*) OVER (PARTITION BY tier, lane) AS jobs
	FROM (SELECT tier, lane, created_at FROM jobs WHERE state = 'QUEUED' LIMIT 100000) waiting
	WINDOW oldest AS (PARTITION BY tier, lane ORDER BY created_at)) ranked
WHERE place % greatest(1, jobs / 64) = 0 OR place = jobs
ORDER BY tier, lane, place LIMIT 10000
