-- How the jobs of the next lines ended, with the tokens of the answer that was accepted. $1 batch, $2 turn, $3 behind this line, $4 most lines
WITH held AS (
	UPDATE api_batches SET look_at = now() + interval '15 s' WHERE batch_id = $1 AND turn = $2 AND step = 'write' RETURNING batch_id
)
SELECT l.line, l.job_id, l.custom_id, coalesce(l.problem, '') AS problem, coalesce(j.state::text, '') AS state, coalesce(r.reason, '') AS reason,
	coalesce(r.detail, '') AS detail, coalesce(r.model, '') AS model, r.finished_at, r.output, coalesce(r.tool_calls, '') AS tool_calls,
	u.input, u.cache_read, u.cache_write, u.output AS tokens, u.reasoning
FROM held h JOIN api_batch_lines l ON l.batch_id = h.batch_id
LEFT JOIN jobs j ON j.job_id = l.job_id
LEFT JOIN results r ON r.day = j.day AND r.job_id = j.job_id AND r.run = j.run
LEFT JOIN LATERAL (
	SELECT g.input, g.cache_read, g.cache_write + g.cache_write_1h AS cache_write, g.output, g.reasoning FROM ledger g
	WHERE g.job_id = j.job_id AND g.run = j.run AND g.purpose = 'accepted' AND g.kind <> 'share' ORDER BY g.at DESC LIMIT 1) u ON true
WHERE l.line > $3 ORDER BY l.line LIMIT $4::int4
