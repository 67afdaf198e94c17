-- A beat of one worker, by the database's clock. $1 worker id, $2 stopping, $3 calls in flight
UPDATE workers SET beat_at = now(), stopping = $2, in_flight = $3 WHERE worker_id = $1 AND ended_at IS NULL
RETURNING now() AS at, (SELECT count(*)::int FROM workers WHERE ended_at IS NULL AND beat_at > now() - interval '15 s') AS alive
