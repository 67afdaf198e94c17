-- What is owed to the outside.
SELECT kind, topic, count(*)::text AS "events#", max(tries)::text AS "most tries#",
	extract(epoch FROM now() - min(created_at))::int8::text AS "oldest s#"
FROM outbox GROUP BY kind, topic ORDER BY count(*) DESC, 1, 2
