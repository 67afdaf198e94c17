-- What is open at the providers, by state and age; and alarms about what is left lying there.
WITH alarms AS MATERIALIZED (SELECT raise_batch_alarms() AS raised)
SELECT b.provider, b.state::text, count(*)::int AS batches, extract(epoch FROM now() - min(b.opened_at))::float8 AS oldest_s, a.raised
FROM alarms a, batches b WHERE b.state NOT IN ('imported', 'failed') GROUP BY 1, 2, 5
