-- Close attempts, book money, decide jobs, owe what is owed. One transaction. Money is fenced by the attempt
-- (it must be open), decisions by the job (its epoch must be the attempt's). Safe to send again. What an attempt
-- held of balances becomes what it cost, in the same transaction.
--  closings: $1 attempt id, $2 day, $3 state, $4 verdict, $5 purpose, $6 reply, $7 status, $8 answered model,
--   $9 request id, $10 ttfb ms, $11 total ms, $12 confidence, $13 error, $14 signature, $15 billed, $16 cost (null: unpriced),
--   $17 input, $18 cache read, $19 cache write, $20 cache write 1h, $21 output, $22 reasoning, $23 cache saving
--  decisions: $24 job id, $25 epoch, $26 state, $27 hop, $28 tier, $29 lane, $30 wait ms, $31 reason, $32 progress,
--   $33 degraded, $34 unmeasured, $35 is json, $36 attempts, $37 confidence, $38 cost, $39 provider, $40 model, $41 detail, $42 output,
--   $55 tool calls
--  questions, of jobs whose task keeps answers: $51 job id, $52 epoch of the decision, $53 key, $54 how long its answer is
--   given again in ms (0: it is none to keep). Without any nothing is done for them.
--  debts: $43 job id, $44 event id, $45 kind, $46 topic, $47 key, $48 headers, $49 body, $50 epoch of the decision that owes it
-- A group may hold two decisions on one job, ours and a zombie's of our own: only that of the row's epoch counts.
-- Rows are found by their whole keys, one by one and in the keys' order, so that no plan reads a table: what is asked
-- for is carried along from the row that was locked, and not joined again.
WITH closing AS MATERIALIZED (
	SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[],
		$10::int[], $11::int[], $12::float8[], $13::text[], $14::text[], $15::bool[], $16::int8[], $17::int8[], $18::int8[],
		$19::int8[], $20::int8[], $21::int8[], $22::int8[], $23::int8[])
	AS t(attempt_id, day_no, state, verdict, purpose, reply, status, answered_model, request_id, ttfb_ms, total_ms,
		confidence, error, signature, billed, cost, input, cache_read, cache_write, cache_write_1h, output, reasoning, cache_saving)
), prior AS MATERIALIZED (
	SELECT a.day, a.was, c.* FROM (SELECT * FROM closing ORDER BY attempt_id) c CROSS JOIN LATERAL (
		SELECT a.day, a.state AS was FROM attempts a
		WHERE a.day = date '2000-01-01' + c.day_no AND a.attempt_id = c.attempt_id AND a.state IN ('sent', 'unknown')
		FOR UPDATE) a
), closed AS (
	UPDATE attempts a SET state = c.state::attempt_state, closed_at = now(), verdict = c.verdict, reply = c.reply, status = c.status,
		answered_model = c.answered_model, request_id = c.request_id, ttfb_ms = c.ttfb_ms, total_ms = c.total_ms,
		confidence = c.confidence, error = c.error, signature = c.signature
	FROM prior c
	WHERE a.day = c.day AND a.attempt_id = c.attempt_id
	RETURNING a.*, c.was, c.purpose, c.billed, c.cost, c.input, c.cache_read, c.cache_write, c.cache_write_1h, c.output,
		c.reasoning, c.cache_saving
), decision AS MATERIALIZED (
	SELECT * FROM unnest($24::uuid[], $25::int[], $26::text[], $27::int[], $28::text[], $29::text[], $30::int8[], $31::text[],
		$32::text[], $33::bool[], $34::bool[], $35::bool[], $36::int[], $37::float8[], $38::int8[], $39::text[], $40::text[], $41::text[],
		$42::bytea[], $55::text[])
	AS t(job_id, epoch, state, hop, tier, lane, wait_ms, reason, progress, degraded, unmeasured, is_json, attempts,
		confidence, cost, provider, model, detail, output, tool_calls)
), ours AS MATERIALIZED (
	-- A job rescued out of its batch is still the batch's to answer until the sync claim raises its epoch.
	SELECT j.was, d.* FROM (SELECT * FROM decision ORDER BY job_id) d CROSS JOIN LATERAL (
		SELECT j.state AS was FROM jobs j
		WHERE j.job_id = d.job_id AND j.epoch = d.epoch AND (NOT j.cancel_requested OR d.state = 'CANCELLED')
			AND (j.state IN ('CLAIMED', 'BATCHED') OR (j.state = 'QUEUED' AND j.reason = 'rescue' AND d.state = 'DONE'))
		FOR UPDATE) j
), spared AS (
	DELETE FROM outbox o USING ours WHERE ours.was = 'QUEUED' AND o.job_id = ours.job_id AND o.kind = 'move'
), decided AS (
	UPDATE jobs j SET state = d.state::job_state, hop = coalesce(d.hop, j.hop), tier = coalesce(d.tier, j.tier),
		lane = coalesce(d.lane::lane, j.lane), reason = d.reason, progress = d.progress, changed_at = now(),
		owner = CASE WHEN d.state = 'CLAIMED' THEN j.owner END,
		due = CASE WHEN d.state = 'PARKED' THEN now() + make_interval(secs => d.wait_ms / 1000.0) END
	FROM ours d WHERE j.job_id = d.job_id
	RETURNING j.job_id, j.epoch, j.day, j.run, j.state, d.degraded, d.unmeasured, d.is_json, d.attempts, d.confidence, d.cost,
		d.reason, d.tier, d.provider, d.model, d.detail, d.output, d.tool_calls
), booked AS (
	INSERT INTO ledger (month, attempt_id, kind, seq, job_id, run, hop, sent_at, amount, input, cache_read, cache_write,
		cache_write_1h, output, reasoning, cache_saving, free_plan, lane, business_unit, feature, environment, usage_tier,
		user_name, task, prompt_name, prompt_version, provider, model, credential, tier, mode, purpose)
	SELECT date_trunc('month', a.day)::date, a.attempt_id,
		CASE WHEN a.was = 'unknown' THEN 'adjustment' WHEN a.state = 'unknown' THEN 'unknown' ELSE 'charge' END::ledger_kind, 0,
		a.job_id, a.run, a.hop, a.sent_at,
		CASE WHEN a.was = 'unknown' THEN CASE WHEN a.billed THEN a.cost ELSE 0 END - coalesce(a.bound, 0)
			WHEN a.state = 'unknown' THEN a.bound ELSE a.cost END,
		a.input, a.cache_read, a.cache_write, a.cache_write_1h, a.output, a.reasoning, a.cache_saving,
		p.free_plan, a.lane, p.business_unit, p.feature, p.environment, p.usage_tier, p.user_name, p.task, p.prompt_name,
		p.prompt_version, a.provider, coalesce(nullif(a.answered_model, ''), a.model), a.credential, a.tier, a.mode,
		CASE WHEN a.purpose = 'accepted' AND d.state IS DISTINCT FROM 'DONE' THEN 'late' ELSE a.purpose END
	FROM closed a JOIN jobs j ON j.job_id = a.job_id
	JOIN payloads p ON p.day = j.day AND p.job_id = a.job_id
	LEFT JOIN decided d ON d.job_id = a.job_id AND d.epoch = a.epoch
	WHERE CASE WHEN a.was = 'unknown' THEN a.state <> 'unknown' ELSE a.billed OR a.state = 'unknown' END
	RETURNING *
), summed AS (
	INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
		kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output)
	SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier, lane,
		kind, purpose, count(*), count(*) FILTER (WHERE amount IS NULL), coalesce(sum(amount), 0), sum(input), sum(cache_read),
		sum(cache_write + cache_write_1h), sum(output)
	FROM booked GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
), answered AS (
	INSERT INTO results (day, job_id, run, outcome, degraded, unmeasured, is_json, attempts, confidence, cost, reason, tier,
		provider, model, detail, output, tool_calls)
	SELECT day, job_id, run, state, degraded, unmeasured, is_json, attempts, confidence, cost, reason, tier, provider, model, detail,
		output, tool_calls
	FROM decided d WHERE d.state IN ('DONE', 'DEAD', 'CANCELLED')
), owed AS (
	INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
	SELECT t.event_id, t.job_id, t.kind, t.topic, t.key, t.headers, t.body, CASE t.kind WHEN 'webhook' THEN now() ELSE now() + interval '20 s' END
	FROM unnest($43::uuid[], $44::uuid[], $45::text[], $46::text[], $47::text[], $48::text[], $49::bytea[], $50::int[])
		AS t(job_id, event_id, kind, topic, key, headers, body, epoch)
	JOIN decided d USING (job_id, epoch)
	ON CONFLICT (event_id) DO NOTHING
), freed AS (
	DELETE FROM reservations r USING closed a
	WHERE r.attempt_id = a.attempt_id AND (a.state <> 'unknown' OR r.unit IN ('calls', 'enqueued_tokens'))
	RETURNING r.allowance_id, r.amount, r.unknown, CASE
		WHEN NOT a.billed OR a.state <> 'closed' THEN 0
		WHEN r.unit = 'usd' THEN coalesce(a.cost, r.amount)
		WHEN r.unit = 'requests' THEN 1
		WHEN r.unit = 'input_tokens' THEN a.input + a.cache_read + a.cache_write + a.cache_write_1h
		WHEN r.unit = 'output_tokens' THEN a.output
		WHEN r.unit = 'tokens' THEN a.input + a.cache_read + a.cache_write + a.cache_write_1h + a.output
		ELSE 0 END AS charge
), doubted AS (
	UPDATE reservations r SET unknown = true FROM closed a
	WHERE r.attempt_id = a.attempt_id AND a.state = 'unknown' AND NOT r.unknown AND r.unit NOT IN ('calls', 'enqueued_tokens')
	RETURNING r.allowance_id, r.amount
), shifts AS MATERIALIZED (
	SELECT allowance_id, sum(freed) AS freed, sum(charge) AS charge, sum(doubt) AS doubt FROM (
		SELECT allowance_id, amount AS freed, charge, CASE WHEN unknown THEN -amount ELSE 0 END AS doubt FROM freed
		UNION ALL SELECT allowance_id, 0, 0, amount FROM doubted) s GROUP BY allowance_id
), locked AS MATERIALIZED ( -- after the jobs
	SELECT a.allowance_id FROM allowances a
	WHERE a.allowance_id IN (SELECT allowance_id FROM shifts) AND (SELECT count(*) FROM decided) >= 0
	ORDER BY a.allowance_id FOR UPDATE
), balanced AS (
	UPDATE allowances a SET reserved = a.reserved - s.freed, charged = a.charged + s.charge, unknown = a.unknown + s.doubt,
		excess = greatest(0, a.charged + s.charge + a.reserved - s.freed - a.cap)
	FROM locked l JOIN shifts s USING (allowance_id) WHERE a.allowance_id = l.allowance_id
), question AS MATERIALIZED (
	SELECT q.key, q.ttl_ms, d.*, d.state = 'DONE' AND q.ttl_ms > 0 AS keeps,
		-- of its own, which says nothing of the question: at a limit, or away without a call that would be to blame
		d.state = 'CANCELLED' OR d.reason IN ('deadline', 'max_cost', 'budget')
			OR (d.state = 'QUEUED' AND NOT EXISTS (SELECT FROM closed c WHERE c.job_id = d.job_id)) AS leaves
	FROM unnest($51::uuid[], $52::int[], $53::bytea[], $54::int8[]) AS q(job_id, epoch, key, ttl_ms)
	JOIN decided d USING (job_id, epoch)
), kept AS MATERIALIZED ( -- by functions, so that whoever has no question pays for none of their plans
	SELECT keep_answer(q.key, q.ttl_ms, q.day, q.job_id, q.tier, q.provider, q.model, q.is_json, q.unmeasured, q.confidence, q.output)
	FROM (SELECT * FROM question WHERE keeps ORDER BY key) q
), released AS MATERIALIZED ( -- in the order of the keys, after the charge is in the ledger
	SELECT release_followers(array_agg(q.key ORDER BY q.key), array_agg(q.job_id ORDER BY q.key), array_agg(
		CASE WHEN q.keeps THEN 'kept' WHEN q.state = 'PARKED' THEN 'parked' WHEN q.leaves THEN 'left' ELSE 'failed' END
		ORDER BY q.key), array_agg(b.attempt_id ORDER BY q.key), array_agg(b.month ORDER BY q.key))
	FROM question q LEFT JOIN booked b ON b.job_id = q.job_id AND b.kind = 'charge' AND b.purpose = 'accepted'
	HAVING count(*) > 0
)
SELECT job_id, epoch FROM decided WHERE (SELECT count(*) FROM kept) + (SELECT count(*) FROM released) >= 0
