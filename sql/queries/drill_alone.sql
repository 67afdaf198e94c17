-- Whether no other drill is under way (the lock lives as long as the session), and how many workers are alive.
SELECT pg_try_advisory_lock(hashtext('sluice.drill')) AS alone,
	(SELECT count(*) FROM workers WHERE ended_at IS NULL AND role = 'sync' AND beat_at > now() - interval '15 s') AS workers
