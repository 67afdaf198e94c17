-- $1 worker id, $2 host, $3 pid, $4 version, $5 role
INSERT INTO workers (worker_id, host, pid, version, role) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
