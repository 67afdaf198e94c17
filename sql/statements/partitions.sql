-- Partitions of the days to come.
SELECT make_partitions(7) AS made
