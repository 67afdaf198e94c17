-- What the fleet leaves alone now.
SELECT provider, credential, coalesce(nullif(model, ''), '(the credential)') AS model, why,
	to_char(opened_at, 'YYYY-MM-DD HH24:MI:SS') AS "open since", openings - 1 AS "failed probes#",
	CASE WHEN probe_until > now() THEN 'under way' WHEN until > now() THEN 'in ' || ceil(extract(epoch FROM until - now())) || ' s'
		ELSE 'due' END AS probe
FROM breakers ORDER BY 1, 2, model
