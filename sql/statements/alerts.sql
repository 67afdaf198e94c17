-- Look for anomalies, if nobody has within half a minute, and for batches left at their providers, and owe alerts to
-- their webhook. $1 its address, $2 times the mean hour, $3 times the mean ten minutes, $4 dollars of one call, $5 times
-- the share, $6 dollars, $7 calls at least
SELECT anomaly_round($2::float8, $3::float8, $4::float8, $5::float8, $6::float8, $7::int8) + raise_batch_alarms() AS anomalies,
	post_alerts($1::text) AS posted
