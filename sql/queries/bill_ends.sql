-- $1 request ids, $2 our ids, $3 whether the answer was delivered
INSERT INTO bill_ends (request, id, delivered) SELECT * FROM unnest($1::text[], $2::text[], $3::bool[])
