-- One round of housekeeping by a worker fit to judge: $1 most orphans, $2 most deltas, $3 its id. If its own
-- beat looks old too, the clock has jumped, and nobody is judged.
SELECT repair_orphans(CASE WHEN EXISTS (
		SELECT FROM workers WHERE worker_id = $3 AND beat_at > now() - interval '5 s') THEN $1 ELSE 0 END) AS orphans, fold_rollups($2) AS folded,
	(SELECT count(*)::int FROM (SELECT FROM jobs WHERE state = 'PARKED' AND crash_count >= 2 AND due <= now() LIMIT 1000) s) AS suspects,
	raise_alerts() AS alerts, expire_leases() AS leases,
	expire_answers(20000) AS answers, forget_leads(1000) AS leads
