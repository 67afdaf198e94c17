-- A line that could not be made a job after all. $1 batch, $2 line, $3 why
UPDATE api_batch_lines SET problem = $3 WHERE batch_id = $1 AND line = $2
