-- Of each candidate whether a breaker, its own or its credential's, is open: since when, and when a probe may go.
-- $1 providers, $2 credentials, $3 models
SELECT min(b.opened_at) AS opened_at, max(b.until) AS until, clock_timestamp() AS at
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS t(provider, credential, model, n)
LEFT JOIN breakers b ON b.provider = t.provider AND b.credential = t.credential AND b.model IN (t.model, '')
GROUP BY n ORDER BY n
