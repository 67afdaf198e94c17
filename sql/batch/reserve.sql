-- Lines about to be written reserve what they can cost of the budgets that hold for them; those that come back may not be
-- sent. $1 batch; per line: $2 attempt, $3 most input tokens, $4 most output tokens, $5 most pico-dollars
SELECT refused, policy, wait_ms FROM batch_reserve($1, $2::uuid[], $3::int8[], $4::int8[], $5::int8[])
