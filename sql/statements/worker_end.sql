-- A worker that leaves tidily holds nothing any more. $1 worker id
UPDATE workers SET ended_at = now(), stopping = true, in_flight = 0 WHERE worker_id = $1 RETURNING ended_at
