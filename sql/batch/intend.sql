-- No job joins any more; what the batch can cost at most stands. Nothing comes back while the enqueued tokens of this
-- model would pass their limit. $1 batch, $2 owner, $3 fence, $4 most enqueued tokens (0: any), $5 tokens of this batch
WITH alone AS MATERIALIZED (
	SELECT pg_advisory_xact_lock(hashtext('sluice.enqueued')) WHERE $4 > 0
), mine AS MATERIALIZED (
	SELECT batch_id, provider, model FROM batches, (SELECT count(*) FROM alone) one_by_one
	WHERE batch_id = $1 AND owner = $2 AND fence = $3 AND state = 'building' FOR UPDATE OF batches
), lines AS MATERIALIZED (
	SELECT count(*)::int AS lines, sum(a.bound) AS reserved FROM mine m JOIN attempts a ON a.batch_id = m.batch_id AND a.state = 'sent'
)
UPDATE batches b SET state = 'intended', intended_at = now(), lines = l.lines, reserved = l.reserved, tokens = $5, looks = 0, tries = 0
FROM mine m, lines l
WHERE b.batch_id = m.batch_id AND ($4 = 0 OR $5 + coalesce((
	SELECT sum(o.tokens) FROM batches o WHERE o.provider = m.provider AND o.model = m.model
		AND o.state IN ('intended', 'uploaded', 'created', 'running')), 0) <= $4
	OR NOT EXISTS (SELECT FROM batches o WHERE o.provider = m.provider AND o.model = m.model
		AND o.state IN ('intended', 'uploaded', 'created', 'running')))
RETURNING b.lines
