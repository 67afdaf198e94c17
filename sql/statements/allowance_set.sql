-- An allowance that a worker brings: a default of the configuration, or what a provider's headers told of.
-- $1 kind, $2 unit, $3 period, $4 scope, $5 cap (null: not known), $6 policy, $7 calibrate, $8 source, $9 who
SELECT allowance_set($1, $2, $3, $4::text::jsonb, $5::int8, $6, $7, false, $8, $9, true) AS allowance_id
