-- One round of housekeeping by a worker fit to judge: $1 most orphans, $2 most deltas
SELECT repair_orphans($1) AS orphans, fold_rollups($2) AS folded,
	(SELECT count(*)::int FROM (SELECT FROM jobs WHERE state = 'PARKED' AND crash_count >= 2 AND due <= now() LIMIT 1000) s) AS suspects,
	raise_alerts() AS alerts, expire_leases() AS leases,
	expire_answers(1000) AS answers
