-- The database's clock, by which the fleet goes.
SELECT clock_timestamp() AS at
