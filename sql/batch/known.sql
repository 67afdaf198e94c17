-- Which of these lines belong to the batch at all, settled or not. $1 batch, $2 attempts
SELECT attempt_id FROM attempts WHERE batch_id = $1 AND attempt_id = ANY ($2::uuid[])
