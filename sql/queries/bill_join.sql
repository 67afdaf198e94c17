-- The bill by attempt. Ids that are no UUID are calls of somebody else: kept, with a null attempt.
CREATE TEMPORARY TABLE bill AS
SELECT CASE WHEN b.id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN b.id::uuid END AS attempt, b.id,
	sum(b.amount) AS amount, count(*) AS calls, bool_and(coalesce(e.delivered, false)) AS delivered
FROM bill_lines b
LEFT JOIN (SELECT DISTINCT request, id, delivered FROM bill_ends) e ON e.id = b.id AND e.request IS NOT DISTINCT FROM b.request
GROUP BY b.id;
CREATE INDEX ON bill (attempt);
ANALYZE bill;
