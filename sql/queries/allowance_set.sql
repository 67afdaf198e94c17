-- Make, change or retire one. $1 kind, $2 unit, $3 period, $4 scope, $5 cap, $6 policy, $7 calibrate, $8 retired, $9 who
SELECT allowance_set($1, $2, $3, $4::text::jsonb, $5::int8, $6, $7::text::boolean, $8, 'user', $9, false)::text AS id
