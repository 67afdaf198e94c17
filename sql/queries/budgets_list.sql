-- Balances and how they stand; dollars as dollars.
SELECT allowance_id::text AS "id#", CASE WHEN scope = '{}' THEN 'all jobs' ELSE (SELECT string_agg(key || '=' || value, ' ' ORDER BY key)
	FROM jsonb_each_text(scope)) END AS match, unit, period AS per, trim_scale(cap / of)::text AS "limit#",
	trim_scale(round(CASE WHEN now() < period_end THEN charged ELSE 0 END / of, 6))::text AS "charged#",
	trim_scale(round(reserved / of, 6))::text AS "reserved#",
	CASE WHEN cap > 0 THEN round(100 * (CASE WHEN now() < period_end THEN charged ELSE 0 END + reserved) / cap, 1)::text ELSE '' END AS "used %#",
	policy AS "at stop", CASE WHEN period = 'none' THEN '' ELSE to_char((date_trunc(period, now() AT TIME ZONE 'UTC')
		+ ('1 ' || period)::interval), 'YYYY-MM-DD HH24:MI') END AS "until (UTC)",
	source, changed_by AS "changed by", to_char(changed_at, 'YYYY-MM-DD HH24:MI:SS') AS "changed at"
FROM (SELECT *, CASE unit WHEN 'usd' THEN 1e12 ELSE 1 END AS of FROM allowances) a
WHERE kind = 'balance' AND NOT retired
ORDER BY scope::text, unit, period
