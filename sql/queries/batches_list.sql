-- Batches, newest first. $1 state (null: those that are not closed), $2 provider (null: any), $3 closed ones too, $4 most
SELECT b.batch_id::text AS batch, b.state::text, b.provider, b.model, b.lines::text AS "lines#",
	CASE WHEN b.provider_completed IS NOT NULL THEN b.provider_completed::text || ' + ' || coalesce(b.provider_failed, 0)::text || ' failed'
		WHEN b.dialect = 'anthropic' AND b.state IN ('created', 'running') THEN 'not told before the end' ELSE '' END AS progress,
	extract(epoch FROM coalesce(b.closed_at, now()) - b.opened_at)::int8::text AS "age s#",
	coalesce((SELECT count(*) FROM jobs j WHERE j.batch_id = b.batch_id AND j.state = 'BATCHED' AND j.due < now() + interval '1 hour'), 0)::text
		AS "due in 1h#",
	b.rescued::text AS "rescued#", coalesce(round(b.cost / 1e12, 6)::text, '') AS "usd#", coalesce(b.reason, '') AS reason
FROM batches b
WHERE ($2::text IS NULL OR b.provider = $2)
	AND CASE WHEN $1::text IS NOT NULL THEN b.state = $1::batch_state ELSE $3 OR b.state NOT IN ('imported', 'failed') END
ORDER BY b.batch_id DESC LIMIT $4
