-- Unfinished jobs by where they stand and why they wait.
SELECT lower(state::text) AS state, coalesce(reason, '') AS reason, tier, lane::text AS lane, count(*)::text AS "jobs#",
	count(*) FILTER (WHERE due <= now())::text AS "due now#",
	coalesce(to_char(min(due), 'HH24:MI:SS'), '') AS "next due",
	extract(epoch FROM now() - min(created_at))::int8::text AS "oldest s#",
	mode() WITHIN GROUP (ORDER BY business_unit) AS "most of"
FROM jobs j WHERE state IN ('CLAIMED', 'BATCHED', 'PARKED', 'QUEUED')
GROUP BY state, reason, tier, lane ORDER BY state, count(*) DESC, 2, 3, 4
