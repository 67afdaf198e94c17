-- Who is alive, and which business unit has reached the bound of its read-ahead. $1 that bound, $2 the one of all
SELECT (SELECT count(*) FROM workers WHERE ended_at IS NULL AND beat_at > now() - interval '15 s')::text AS alive,
	(SELECT count(DISTINCT version) FROM workers WHERE ended_at IS NULL AND beat_at > now() - interval '15 s')::text AS versions,
	coalesce((SELECT string_agg(business_unit || ' (' || parked || ')', ', ' ORDER BY parked DESC) FROM (
		SELECT business_unit, count(*) AS parked FROM jobs WHERE state = 'PARKED' GROUP BY business_unit
		HAVING count(*) >= $1 ORDER BY count(*) DESC LIMIT 5) blocking), '') AS blocking,
	((SELECT count(*) FROM jobs WHERE state = 'PARKED') >= $2)::text AS all_full,
	(SELECT count(*) FROM outbox WHERE created_at < now() - interval '5 minutes')::text AS stale_debts
