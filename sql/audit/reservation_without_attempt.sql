-- Every reservation belongs to an attempt that is open, or unknown if it says so.
SELECT r.attempt_id::text, r.allowance_id::text, r.amount::text, a.state::text
FROM reservations r LEFT JOIN attempts a USING (attempt_id)
WHERE a.state IS NULL OR a.state <> CASE WHEN r.unknown THEN 'unknown' ELSE 'sent' END::attempt_state
