-- Jobs, newest id first. $1 business units (null: all), $2 state, $3 tier, $4 lane, $5 reason, $6 task (null: any),
-- $7 below this id (null: from the newest), $8 most
SELECT j.job_id, lower(j.state::text) AS state, coalesce(j.reason, '') AS reason, j.run, j.hop, j.tier, j.lane::text AS lane,
	j.business_unit, j.created_at, j.changed_at, j.due, j.cancel_requested, coalesce(p.task, '') AS task,
	coalesce(p.feature, '') AS feature
FROM jobs j LEFT JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
WHERE ($1::text[] IS NULL OR j.business_unit = ANY ($1)) AND ($2::text IS NULL OR j.state = upper($2)::job_state)
	AND ($3::text IS NULL OR j.tier = $3) AND ($4::text IS NULL OR j.lane = $4::lane)
	AND ($5::text IS NULL OR j.reason = $5) AND ($6::text IS NULL OR p.task = $6)
	AND ($7::uuid IS NULL OR j.job_id < $7)
ORDER BY j.job_id DESC LIMIT $8
