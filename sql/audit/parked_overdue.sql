-- No parked job is ten minutes overdue while its tier has been served. Those that were read ahead wait for their turn.
SELECT tier, lane::text, reason, count(*)::text AS jobs, extract(epoch FROM now() - min(due))::int8::text AS "overdue s"
FROM jobs j
WHERE state = 'PARKED' AND reason <> 'share' AND due < now() - interval '10 minutes'
	AND EXISTS (SELECT FROM workers w WHERE w.ended_at IS NULL AND NOT w.stopping AND w.beat_at > now() - interval '15 s'
		AND w.started_at < now() - interval '10 minutes')
GROUP BY tier, lane, reason
