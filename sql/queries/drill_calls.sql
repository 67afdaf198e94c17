-- Where calls of these jobs went, by candidate of a tier, and when the first that was answered left. $1 job ids, $2 tier,
-- $3 since when they count
SELECT provider, model, count(*) FILTER (WHERE reply = 'answer') AS answered,
	count(*) FILTER (WHERE state IN ('closed', 'unknown')) AS ended, min(sent_at) FILTER (WHERE reply = 'answer') AS first_at
FROM attempts WHERE job_id = ANY ($1::uuid[]) AND tier = $2 AND sent_at >= $3
GROUP BY provider, model ORDER BY answered DESC, provider, model
