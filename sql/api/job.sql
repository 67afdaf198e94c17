-- How jobs stand, with the outcome of their latest run. $1 job ids.
SELECT j.job_id, lower(j.state::text) AS state, coalesce(j.reason, '') AS reason, j.run, j.hop, j.tier, j.lane::text AS lane,
	j.business_unit, j.created_at, j.changed_at, j.due, j.cancel_requested,
	(SELECT count(*) FROM attempts a WHERE a.job_id = j.job_id AND a.run = j.run AND a.day >= j.day) AS attempts,
	r.job_id IS NOT NULL AS ended, coalesce(r.reason, '') AS result_reason, r.degraded, r.is_json, r.confidence, r.cost, r.finished_at,
	r.provider, r.model, r.detail, r.output, r.tool_calls, r.tier AS result_tier,
	coalesce(p.task, '') AS task, coalesce(p.feature, '') AS feature
FROM jobs j
LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
LEFT JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE j.job_id = ANY ($1::uuid[])
