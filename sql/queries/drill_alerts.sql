-- How many alerts of a credential's breaker went out. $1 "provider/credential", $2 since when
SELECT count(*) AS alerts FROM alerts WHERE kind = 'breaker' AND subject = $1 AND at >= $2
