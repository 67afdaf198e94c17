-- Forget answers. $1 business unit, $2 task, $3 prompt, $4 its version, $5 key in hex (null: any)
WITH unwanted AS MATERIALIZED ( -- in the order in which a settle locks them
	SELECT key FROM answers
	WHERE ($1::text IS NULL OR business_unit = $1) AND ($2::text IS NULL OR task = $2) AND ($3::text IS NULL OR prompt_name = $3)
		AND ($4::text IS NULL OR prompt_version = $4) AND ($5::text IS NULL OR key = decode($5, 'hex'))
	ORDER BY key FOR UPDATE
), purged AS (
	DELETE FROM answers a USING unwanted u WHERE a.key = u.key RETURNING a.key
)
SELECT count(*)::text AS "answers purged#" FROM purged
