-- Ask for the end of jobs: their rows, locked, with all that ends one that nobody holds. A job that nobody has seen gets
-- a tombstone, so that its message drops when it comes. $1 job ids; a row per id: what stood there, null where nothing did.
WITH wanted AS MATERIALIZED (
	SELECT DISTINCT job_id FROM unnest($1::uuid[]) AS w(job_id)
), standing AS MATERIALIZED (
	SELECT j.* FROM jobs j JOIN wanted USING (job_id) ORDER BY j.job_id FOR UPDATE OF j
), buried AS (
	INSERT INTO tombstones (job_id, run, hop, state, fingerprint)
	SELECT w.job_id, 0, 0, 'CANCELLED', '' FROM wanted w WHERE NOT EXISTS (SELECT FROM standing s WHERE s.job_id = w.job_id)
	ON CONFLICT (job_id) DO NOTHING RETURNING job_id
)
SELECT w.job_id, s.state::text AS stood, b.job_id IS NOT NULL AS buried, s.run, s.hop, s.epoch, s.tier, s.lane::text AS lane, s.progress,
	(extract(epoch FROM now() - s.created_at) * 1000)::int8 AS age_ms, p.headers, p.body
FROM wanted w LEFT JOIN standing s USING (job_id) LEFT JOIN buried b USING (job_id)
LEFT JOIN payloads p ON p.day = s.day AND p.job_id = s.job_id AND s.state IN ('PARKED', 'QUEUED')
ORDER BY w.job_id
