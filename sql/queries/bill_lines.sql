-- $1 request ids, $2 our ids, $3 amounts in pico-dollars, $4 times (null: not told)
INSERT INTO bill_lines (request, id, amount, at) SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[])
