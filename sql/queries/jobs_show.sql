-- All that is known of a job, as one JSON object; no row: unknown. $1 job id, $2 with prompt, $3 with output
SELECT json_build_object(
	'job_id', j.job_id, 'state', lower(j.state::text), 'reason', j.reason, 'run', j.run, 'hop', j.hop, 'epoch', j.epoch,
	'tier', j.tier, 'lane', j.lane, 'business_unit', j.business_unit, 'feature', p.feature, 'environment', p.environment,
	'usage_tier', p.usage_tier, 'user', p.user_name, 'task', p.task, 'plan', CASE WHEN p.free_plan THEN 'free' ELSE 'paid' END,
	'prompt_name', p.prompt_name, 'prompt_version', p.prompt_version,
	'created_at', to_char(j.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'changed_at', to_char(j.changed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'due', to_char(j.due, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'crash_count', j.crash_count,
	'cancel_requested', j.cancel_requested, 'worker', w.host || ':' || w.pid,
	'message_bytes', octet_length(p.body),
	'message', CASE WHEN $2 THEN convert_from(p.body, 'UTF8') END,
	'results', coalesce((
		SELECT json_agg(json_build_object('run', r.run, 'outcome', lower(r.outcome::text), 'reason', r.reason,
			'degraded', r.degraded, 'unmeasured', r.unmeasured, 'attempts', r.attempts,
			'confidence', round(r.confidence::numeric, 4)::text, 'usd', trim_scale(r.cost / 1e12)::text, 'provider', r.provider,
			'model', r.model, 'detail', r.detail, 'output_bytes', octet_length(r.output),
			'output', CASE WHEN $3 THEN convert_from(r.output, 'UTF8') END,
			'tool_calls', CASE WHEN $3 THEN r.tool_calls END,
			'finished_at', to_char(r.finished_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY r.run)
		FROM results r WHERE r.day = j.day AND r.job_id = j.job_id), '[]'),
	'attempts', coalesce((
		SELECT json_agg(json_build_object('attempt_id', a.attempt_id, 'run', a.run, 'hop', a.hop, 'state', a.state,
			'tier', a.tier, 'provider', a.provider, 'model', coalesce(nullif(a.answered_model, ''), a.model),
			'mode', a.mode, 'reply', a.reply, 'verdict', a.verdict, 'signature', a.signature, 'status', a.status,
			'total_ms', a.total_ms, 'ttfb_ms', a.ttfb_ms, 'confidence', round(a.confidence::numeric, 4)::text,
			'request_id', a.request_id, 'error', a.error, 'batch_id', a.batch_id,
			'sent_at', to_char(a.sent_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
			'input', l.input, 'output', l.output, 'usd', trim_scale(l.amount / 1e12)::text, 'unpriced', coalesce(l.unpriced, false))
			ORDER BY a.run, a.hop, a.sent_at, a.attempt_id)
		FROM attempts a LEFT JOIN (
			SELECT attempt_id, sum(input + cache_read + cache_write + cache_write_1h) AS input, sum(output) AS output,
				sum(amount) AS amount, bool_or(amount IS NULL) AS unpriced
			FROM ledger WHERE job_id = $1 AND kind <> 'share' GROUP BY attempt_id) l USING (attempt_id)
		WHERE a.job_id = j.job_id), '[]'),
	'shared_usd', (SELECT trim_scale(sum(l.amount) / 1e12)::text FROM ledger l WHERE l.job_id = $1 AND l.kind = 'share'),
	'waits', coalesce((
		SELECT json_agg(json_build_object('reason', w.reason, 'since', to_char(w.since, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
			'until', to_char(w.until, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'seconds', round(w.ms / 1000.0, 3), 'times', w.times)
			ORDER BY w.since, w.until)
		FROM (
			SELECT k.reason, to_timestamp(k.since / 1000.0) AS since, to_timestamp(k.until / 1000.0) AS until, k.ms, k.times
			FROM jsonb_to_recordset(j.waits) AS k(reason text, since int8, until int8, ms int8, times int)
			UNION ALL SELECT a.waited_for, a.sent_at - make_interval(secs => a.waited_ms / 1000.0), a.sent_at, a.waited_ms, 1
			FROM attempts a WHERE a.job_id = j.job_id AND a.waited_for IS NOT NULL
			UNION ALL SELECT 'batch', a.sent_at, a.closed_at, extract(epoch FROM coalesce(a.closed_at, now()) - a.sent_at) * 1000, 1
			FROM attempts a WHERE a.job_id = j.job_id AND a.mode = 'batch'
			UNION ALL SELECT CASE j.state WHEN 'QUEUED' THEN 'queued' ELSE j.reason END, j.changed_at, NULL,
				extract(epoch FROM now() - j.changed_at) * 1000, 1
			WHERE j.state IN ('PARKED', 'QUEUED')) w), '[]'),
	'owed', coalesce((
		SELECT json_agg(json_build_object('kind', o.kind, 'topic', o.topic, 'tries', o.tries) ORDER BY o.created_at)
		FROM outbox o WHERE o.job_id = j.job_id), '[]')
)::text AS job
FROM jobs j
LEFT JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id
LEFT JOIN workers w ON w.worker_id = j.owner
WHERE j.job_id = $1
UNION ALL
SELECT json_build_object('job_id', t.job_id, 'state', lower(t.state::text), 'run', t.run, 'hop', t.hop, 'tombstone', true,
	'buried_at', to_char(t.buried_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text
FROM tombstones t WHERE t.job_id = $1 AND NOT EXISTS (SELECT FROM jobs j WHERE j.job_id = t.job_id)
