-- Rates and how they stand.
SELECT a.allowance_id::text AS "id#", coalesce(a.scope ->> 'provider', '') AS provider, coalesce(a.scope ->> 'credential', '') AS credential,
	coalesce(a.scope ->> 'model', '') AS model, a.unit, a.period AS per, coalesce(a.cap::text, '') AS "limit#",
	coalesce(trunc(rate_top(a)::numeric * a.learned::numeric)::text, '') AS "in force#",
	coalesce(trunc(a.thought::numeric)::text, '') AS "we think#", coalesce(trunc(a.said_left::numeric)::text, '') AS "it says#",
	CASE WHEN a.held_until > now() THEN ceil(extract(epoch FROM a.held_until - now()))::text ELSE '' END AS "held s#",
	a.source, a.changed_by AS "changed by", to_char(a.changed_at, 'YYYY-MM-DD HH24:MI:SS') AS "changed at"
FROM allowances a WHERE a.kind = 'rate' AND NOT a.retired
ORDER BY a.scope ->> 'provider', a.scope ->> 'model', a.unit, a.period
