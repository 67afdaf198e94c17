-- Take due work from Postgres. $1 owner, $2 claim id, per kind: $3 tier, $4 lane, $5 how many; $6 suspects only, one of them.
-- A fourth goes to the oldest, so that nothing starves. The rest is shared evenly by the business units that have any due,
-- those that wait longest first; where paid ones wait, free ones have a fifth of it.
WITH RECURSIVE wants AS (
	SELECT tier, lane::lane, CASE WHEN $6 THEN 1 ELSE most END AS most FROM unnest($3::text[], $4::text[], $5::int[]) AS w(tier, lane, most)
), flows AS ( -- one step of the index per unit
	SELECT w.tier, w.lane, w.most, f.free_plan, f.business_unit, 1 AS number
	FROM wants w, LATERAL (
		SELECT j.free_plan, j.business_unit FROM jobs j WHERE j.state = 'PARKED' AND j.tier = w.tier AND j.lane = w.lane AND NOT $6
		ORDER BY j.free_plan, j.business_unit LIMIT 1) f
	UNION ALL
	SELECT p.tier, p.lane, p.most, n.free_plan, n.business_unit, p.number + 1
	FROM flows p, LATERAL (
		SELECT j.free_plan, j.business_unit FROM jobs j WHERE j.state = 'PARKED' AND j.tier = p.tier AND j.lane = p.lane
			AND (j.free_plan, j.business_unit) > (p.free_plan, p.business_unit)
		ORDER BY j.free_plan, j.business_unit LIMIT 1) n
	WHERE p.number < 256
), due AS (
	SELECT f.*, h.due FROM flows f, LATERAL (
		SELECT j.due FROM jobs j WHERE j.state = 'PARKED' AND j.tier = f.tier AND j.lane = f.lane AND j.free_plan = f.free_plan
			AND j.business_unit = f.business_unit AND j.due <= now()
		ORDER BY j.due LIMIT 1) h
), shares AS (
	SELECT tier, lane, free_plan, business_unit,
		CASE WHEN free_plan AND bool_or(NOT free_plan) OVER kind THEN (most + 4) / 5 ELSE most END AS most,
		count(*) OVER (PARTITION BY tier, lane, free_plan) AS units,
		row_number() OVER (PARTITION BY tier, lane, free_plan ORDER BY due) AS turn
	FROM due WINDOW kind AS (PARTITION BY tier, lane)
), fair AS (
	SELECT p.job_id FROM shares s, LATERAL (
		SELECT j.job_id FROM jobs j WHERE j.state = 'PARKED' AND j.tier = s.tier AND j.lane = s.lane AND j.free_plan = s.free_plan
			AND j.business_unit = s.business_unit AND j.due <= now() AND j.crash_count < 2
		ORDER BY j.due LIMIT (s.most + s.units - 1) / s.units FOR UPDATE SKIP LOCKED) p
	WHERE s.turn <= s.most
), oldest AS (
	SELECT p.job_id FROM wants w, LATERAL (
		SELECT j.job_id FROM jobs j
		WHERE j.state = 'PARKED' AND j.tier = w.tier AND j.lane = w.lane AND j.due <= now() AND (j.crash_count >= 2) = $6
		ORDER BY j.due LIMIT (w.most + 3) / 4 FOR UPDATE SKIP LOCKED
	) p LIMIT CASE WHEN $6 THEN 1 END
), taken AS (
	UPDATE jobs j SET state = 'CLAIMED', owner = $1, claim_id = $2, epoch = j.epoch + 1, due = NULL, reason = NULL, changed_at = now(),
		waits = wait_over(j.waits, j.reason, j.changed_at)
	WHERE j.job_id = ANY (ARRAY(SELECT job_id FROM fair UNION SELECT job_id FROM oldest)) -- by the key, however many are guessed
	RETURNING j.job_id, j.state, j.run, j.hop, j.epoch, j.day, j.tier, j.lane, j.progress, j.crash_count, j.cancel_requested
)
SELECT t.job_id, t.state::text, t.run, t.hop, t.epoch, t.day - date '2000-01-01' AS day, t.tier, t.lane::text AS lane, t.progress,
	t.crash_count, t.cancel_requested, p.body, p.headers
FROM taken t LEFT JOIN payloads p ON p.day = t.day AND p.job_id = t.job_id
