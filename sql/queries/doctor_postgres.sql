-- What a healthy Postgres says of itself, as text.
SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS version_number,
	current_setting('synchronous_commit') AS synchronous_commit,
	current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
	current_setting('autovacuum') AS autovacuum, current_setting('max_connections') AS max_connections,
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::text AS connections,
	current_setting('default_transaction_isolation') AS isolation, pg_is_in_recovery()::text AS replica,
	pg_size_pretty(pg_database_size(current_database())) AS size
