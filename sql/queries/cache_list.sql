-- Answers that are given again, the newest first. $1 business unit, $2 task, $3 prompt, $4 its version (null: any), $5 at most
SELECT encode(key, 'hex') AS key, business_unit AS "business unit", task, prompt_name AS prompt, prompt_version AS version, tier, provider,
	model, octet_length(output)::text AS "bytes#", to_char(made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS "made (UTC)",
	to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS "expires (UTC)", made_by::text AS "made by"
FROM answers
WHERE expires_at > now() AND ($1::text IS NULL OR business_unit = $1) AND ($2::text IS NULL OR task = $2)
	AND ($3::text IS NULL OR prompt_name = $3) AND ($4::text IS NULL OR prompt_version = $4)
ORDER BY made_at DESC, key LIMIT $5::bigint
