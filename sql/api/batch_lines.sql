-- Lines that were checked, and the jobs they will be. Safe to send again. 0: the turn is over. $1 batch, $2 turn, $3 lines, $4 job ids, $5 custom ids
WITH held AS (
	UPDATE api_batches SET look_at = now() + interval '15 s' WHERE batch_id = $1 AND turn = $2 AND step = 'check' RETURNING batch_id
), kept AS (
	INSERT INTO api_batch_lines (batch_id, line, job_id, custom_id)
	SELECT h.batch_id, t.line, t.job_id, t.custom_id FROM held h, unnest($3::int[], $4::uuid[], $5::text[]) AS t(line, job_id, custom_id)
	ON CONFLICT DO NOTHING
)
SELECT count(*)::int AS held FROM held
