-- The lines of a batch by their number in its file, from 1; all of them if no number is given. $1 batch, $2 numbers
SELECT attempt_id FROM (
	SELECT attempt_id, row_number() OVER (ORDER BY attempt_id) AS number FROM attempts WHERE batch_id = $1 AND state = 'sent'
) n
WHERE cardinality($2::int8[]) = 0 OR number = ANY ($2::int8[]) ORDER BY attempt_id
