-- A piece of a file. $1 file id, $2 its number, $3 bytes
INSERT INTO api_file_chunks (file_id, seq, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
