-- How many of its jobs have ended: when all have, or its time is over, the next step comes. The longer counting takes, the
-- longer the pause before the next time. $1 batch, $2 turn
WITH counted AS MATERIALIZED (
	SELECT count(*) FILTER (WHERE j.state = 'DONE')::int AS done, count(*) FILTER (WHERE j.state IN ('DEAD', 'CANCELLED') OR j.job_id IS NULL)::int AS lost,
		count(*)::int AS lines
	FROM api_batch_lines l LEFT JOIN jobs j ON j.job_id = l.job_id WHERE l.batch_id = $1
), next AS MATERIALIZED (
	SELECT b.batch_id, CASE WHEN done + lost >= lines THEN 'write' WHEN b.expires_at <= now() THEN 'cancel' ELSE 'watch' END AS step
	FROM counted, api_batches b WHERE b.batch_id = $1
)
UPDATE api_batches b SET completed = c.done, failed = c.lost, step = n.step,
	state = CASE n.step WHEN 'watch' THEN b.state ELSE 'finalizing' END,
	finalizing_at = CASE n.step WHEN 'watch' THEN NULL ELSE now() END,
	look_at = CASE n.step WHEN 'watch' THEN clock_timestamp() + greatest(interval '1 s', 20 * (clock_timestamp() - statement_timestamp())) ELSE now() END
FROM counted c, next n WHERE b.batch_id = n.batch_id AND b.turn = $2 AND b.step = 'watch'
RETURNING b.step
