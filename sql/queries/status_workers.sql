-- Workers that should be alive, and those that died within the hour.
SELECT worker_id::text AS worker, host, pid::text AS "pid#", role, version,
	CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN beat_at < now() - interval '15 s' THEN 'dead'
		WHEN stopping THEN 'stopping' ELSE 'alive' END AS state,
	in_flight::text AS "in flight#", (SELECT count(*) FROM jobs j WHERE j.owner = w.worker_id AND j.state = 'CLAIMED')::text AS "jobs#",
	round(extract(epoch FROM now() - beat_at)::numeric, 1)::text AS "beat s#",
	extract(epoch FROM now() - started_at)::int8::text AS "up s#"
FROM workers w
WHERE ended_at IS NULL AND beat_at > now() - interval '1 hour'
ORDER BY started_at
