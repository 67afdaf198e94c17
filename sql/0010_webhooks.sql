-- Webhooks: rows of the outbox of kind 'webhook', whose topic is a URL and whose key the business unit that signs ('' for
-- alerts). A worker takes some, posts them and records what came of it; a row whose worker died is due again after half a
-- minute, under the same event id. What ends leaves the outbox for the log, from which it can be sent again.

DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (next_try) WHERE kind <> 'webhook';
CREATE INDEX outbox_webhooks ON outbox (next_try) WHERE kind = 'webhook';

CREATE TABLE webhook_endpoints (
	url         text PRIMARY KEY,
	failures    integer NOT NULL DEFAULT 0,
	held_until  timestamptz NOT NULL DEFAULT 'epoch',
	disabled_at timestamptz
);
COMMENT ON TABLE webhook_endpoints IS 'Endpoints in trouble: failing in a row, asking us to wait, or gone (410).';

CREATE TABLE webhook_log (
	event_id      uuid PRIMARY KEY,
	job_id        uuid NOT NULL,
	business_unit text NOT NULL,
	url           text NOT NULL,
	fate          text NOT NULL CHECK (fate IN ('delivered', 'exhausted', 'gone', 'refused', 'disabled')),
	tries         integer NOT NULL,
	created_at    timestamptz NOT NULL,
	ended_at      timestamptz NOT NULL DEFAULT now(),
	headers       text NOT NULL,
	body          bytea COMPRESSION lz4 NOT NULL
);
CREATE INDEX webhook_log_ended ON webhook_log (ended_at);
CREATE INDEX webhook_log_job ON webhook_log (job_id);
COMMENT ON COLUMN webhook_log.fate IS 'delivered; exhausted: a day of tries; gone: 410; refused: an address we do not go to; disabled: the endpoint was gone before.';

CREATE TABLE webhook_tries (
	event_id uuid NOT NULL,
	at       timestamptz NOT NULL DEFAULT now(),
	number   integer NOT NULL,
	status   integer NOT NULL,
	failure  text NOT NULL,
	ms       integer NOT NULL
);
CREATE INDEX webhook_tries_event ON webhook_tries (event_id, at);
CREATE INDEX webhook_tries_at ON webhook_tries (at);

-- Webhooks that are due, a turn for each endpoint before anybody's second. Those of endpoints that asked for a pause, or
-- that the asker has enough calls open with (busy) if they are in others' way, move on; those of an endpoint that is gone end.
CREATE FUNCTION webhook_take(most integer, busy text[])
RETURNS TABLE (event_id uuid, url text, unit text, headers text, body bytea, tries integer, age_ms bigint)
LANGUAGE sql AS $$
	WITH due AS MATERIALIZED (
		SELECT o.event_id, o.topic, o.next_try FROM outbox o WHERE o.kind = 'webhook' AND o.next_try <= now()
		ORDER BY o.next_try LIMIT greatest(most, 200) FOR UPDATE SKIP LOCKED
	), marked AS MATERIALIZED (
		SELECT d.event_id, d.next_try, e.disabled_at IS NOT NULL AS is_gone,
			coalesce(e.held_until, 'epoch') AS held_until, d.topic = ANY (busy) AS is_busy, count(*) OVER () >= 200 AS is_full,
			row_number() OVER (PARTITION BY d.topic ORDER BY d.next_try) AS turn
		FROM due d LEFT JOIN webhook_endpoints e ON e.url = d.topic
	), later AS (
		UPDATE outbox o SET next_try = CASE WHEN m.held_until > now() THEN m.held_until + random() * interval '1 s'
			ELSE now() + (0.25 + random() / 4) * interval '1 s' END FROM marked m
		WHERE o.event_id = m.event_id AND NOT m.is_gone AND (m.held_until > now() OR m.is_busy AND m.is_full)
	), dropped AS (
		DELETE FROM outbox o USING marked m WHERE o.event_id = m.event_id AND m.is_gone RETURNING o.*
	), logged AS (
		INSERT INTO webhook_log (event_id, job_id, business_unit, url, fate, tries, created_at, headers, body)
		SELECT d.event_id, d.job_id, d.key, d.topic, 'disabled', d.tries, d.created_at, d.headers, d.body FROM dropped d
		ON CONFLICT (event_id) DO UPDATE SET fate = excluded.fate, tries = excluded.tries, ended_at = now()
	), chosen AS (
		SELECT m.event_id FROM marked m WHERE NOT m.is_gone AND NOT m.is_busy AND m.held_until <= now()
		ORDER BY m.turn, m.next_try LIMIT most
	)
	UPDATE outbox o SET next_try = now() + interval '30 s', tries = o.tries + 1 FROM chosen c WHERE o.event_id = c.event_id
	RETURNING o.event_id, o.topic, o.key, o.headers, o.body, o.tries, (extract(epoch FROM now() - o.created_at) * 1000)::bigint
$$;

-- What came of tries. A failure counts only for the try that it was; a delivery ends its row in any case.
CREATE FUNCTION webhook_record(ids uuid[], numbers integer[], fates text[], statuses integer[], failures text[],
	waits bigint[], hints bigint[], times integer[]) RETURNS integer LANGUAGE sql AS $$
	WITH told AS MATERIALIZED (
		SELECT o.event_id, o.topic, t.number, t.fate, t.status, t.failure, t.wait, t.hint, t.ms
		FROM unnest(ids, numbers, fates, statuses, failures, waits, hints, times)
			AS t(event_id, number, fate, status, failure, wait, hint, ms)
		JOIN outbox o USING (event_id) WHERE o.tries = t.number OR t.fate = 'delivered'
		ORDER BY o.event_id FOR UPDATE OF o
	), tried AS (
		INSERT INTO webhook_tries (event_id, number, status, failure, ms)
		SELECT event_id, number, status, failure, ms FROM told
	), again AS (
		UPDATE outbox o SET next_try = now() + make_interval(secs => t.wait / 1000.0) FROM told t
		WHERE o.event_id = t.event_id AND t.fate = 'retry'
	), ended AS (
		DELETE FROM outbox o USING told t WHERE o.event_id = t.event_id AND t.fate <> 'retry' RETURNING o.*, t.fate
	), logged AS (
		INSERT INTO webhook_log (event_id, job_id, business_unit, url, fate, tries, created_at, headers, body)
		SELECT event_id, job_id, key, topic, fate, tries, created_at, headers, body FROM ended
		ON CONFLICT (event_id) DO UPDATE SET fate = excluded.fate, tries = excluded.tries, ended_at = now()
	), well AS (
		UPDATE webhook_endpoints e SET failures = 0, held_until = 'epoch', disabled_at = NULL
		WHERE e.url IN (SELECT topic FROM told WHERE fate = 'delivered')
			AND e.url NOT IN (SELECT topic FROM told WHERE fate <> 'delivered') AND (e.failures > 0 OR e.disabled_at IS NOT NULL)
	), ill AS (
		INSERT INTO webhook_endpoints AS e (url, failures, held_until, disabled_at)
		SELECT topic, count(*), now() + make_interval(secs => max(hint) / 1000.0),
			CASE WHEN bool_or(fate = 'gone') THEN now() END
		FROM told WHERE fate IN ('retry', 'exhausted', 'gone') GROUP BY topic ORDER BY topic
		ON CONFLICT (url) DO UPDATE SET failures = e.failures + excluded.failures,
			disabled_at = coalesce(e.disabled_at, excluded.disabled_at),
			held_until = greatest(excluded.held_until, CASE WHEN e.failures >= 3
				THEN now() + make_interval(secs => least(60, power(2, least(e.failures, 20) - 3))) END)
	)
	SELECT count(*)::integer FROM told
$$;

-- Send again, now and with a whole day before it; its endpoint has another chance if it was gone. True: there was one.
CREATE FUNCTION webhook_resend(id uuid) RETURNS boolean LANGUAGE sql AS $$
	WITH logged AS (
		DELETE FROM webhook_log WHERE event_id = id RETURNING *
	), owed AS (
		INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
		SELECT event_id, job_id, 'webhook', url, business_unit, headers, body, now() FROM logged
		ON CONFLICT (event_id) DO NOTHING RETURNING topic
	), waiting AS (
		UPDATE outbox SET next_try = now(), created_at = now(), tries = 0
		WHERE event_id = id AND kind = 'webhook' AND next_try > now() RETURNING topic
	), enabled AS (
		UPDATE webhook_endpoints SET disabled_at = NULL, held_until = 'epoch', failures = 0
		WHERE url IN (SELECT topic FROM owed UNION SELECT topic FROM waiting)
	)
	SELECT EXISTS (SELECT FROM owed) OR EXISTS (SELECT FROM waiting)
$$;

-- What is past retention, and endpoints whose trouble is.
CREATE FUNCTION webhook_forget(days integer) RETURNS integer LANGUAGE sql AS $$
	WITH logs AS (
		DELETE FROM webhook_log WHERE ended_at < now() - make_interval(days => days) RETURNING 1
	), tries AS (
		DELETE FROM webhook_tries WHERE at < now() - make_interval(days => days) RETURNING 1
	), endpoints AS (
		DELETE FROM webhook_endpoints WHERE greatest(held_until, disabled_at) < now() - make_interval(days => days)
	)
	SELECT (SELECT count(*) FROM logs)::integer + (SELECT count(*) FROM tries)::integer
$$;

-- Owe alerts to the alerts' webhook: each once, whoever asks. Those of before yesterday are history.
CREATE FUNCTION post_alerts(target text) RETURNS integer LANGUAGE sql AS $$
	WITH fresh AS MATERIALIZED (
		SELECT alert_id FROM alerts WHERE posted_at IS NULL AND at > now() - interval '1 day' AND target <> ''
		ORDER BY alert_id LIMIT 100 FOR UPDATE SKIP LOCKED
	), posted AS (
		UPDATE alerts a SET posted_at = now() FROM fresh f WHERE a.alert_id = f.alert_id RETURNING a.*
	), owed AS (
		INSERT INTO outbox (event_id, job_id, kind, topic, key, headers, body, next_try)
		SELECT e.id, e.id, 'webhook', target, '', '', convert_to(jsonb_strip_nulls(jsonb_build_object('version', 1,
			'type', 'alert', 'kind', p.kind, 'at', p.at, 'subject', nullif(p.subject, ''), 'key', p.key,
			'match', b.scope, 'unit', b.unit, 'period', b.period, 'period_start', p.period_start, 'threshold', p.threshold,
			'limit', p.cap / of, 'charged', p.charged / of, 'reserved', p.reserved / of,
			'detail', nullif(p.detail, '{}')))::text, 'UTF8'), now()
		FROM posted p LEFT JOIN allowances b USING (allowance_id)
		CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id, CASE b.unit WHEN 'usd' THEN 1e12 ELSE 1 END AS of) e
		RETURNING 1
	)
	SELECT count(*)::integer FROM owed
$$;

REVOKE EXECUTE ON FUNCTION webhook_take(integer, text[]), webhook_resend(uuid), webhook_forget(integer), post_alerts(text),
	webhook_record(uuid[], integer[], text[], integer[], text[], bigint[], bigint[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_take(integer, text[]), webhook_resend(uuid), webhook_forget(integer), post_alerts(text),
	webhook_record(uuid[], integer[], text[], integer[], text[], bigint[], bigint[], integer[]) TO sluice_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints, webhook_log, webhook_tries TO sluice_worker;
