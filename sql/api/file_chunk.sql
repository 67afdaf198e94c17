-- A piece of a file. $1 file id, $2 its number
SELECT body FROM api_file_chunks WHERE file_id = $1 AND seq = $2
