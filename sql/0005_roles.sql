-- Least privilege: workers do the protocol, the api accepts and reads, analysts see cost and latency only. The roles
-- cannot log in; grant them to users that can (GRANT sluice_worker TO worker_1). They are shared by all databases of
-- a cluster, so another database may have made them already.
DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['sluice_worker', 'sluice_api', 'sluice_analyst'] LOOP
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;
		END;
	END LOOP;
END $$;

-- These make and drop partitions, which only the owner may.
ALTER FUNCTION make_partitions(integer) SECURITY DEFINER SET search_path = sluice, pg_temp;
ALTER FUNCTION drop_old_days(integer, integer) SECURITY DEFINER SET search_path = sluice, pg_temp;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sluice FROM PUBLIC;

GRANT USAGE ON SCHEMA sluice TO sluice_worker, sluice_api, sluice_analyst;

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs, tombstones, outbox, rollups, rollup_deltas, workers, repairs TO sluice_worker;
GRANT SELECT, INSERT, UPDATE ON attempts TO sluice_worker;
GRANT SELECT, INSERT ON payloads, results, ledger, rejects TO sluice_worker;
GRANT SELECT ON prices, schema_migrations, spend_hourly TO sluice_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sluice TO sluice_worker;

GRANT SELECT ON jobs, payloads, results, attempts, ledger, tombstones, workers, prices, schema_migrations, spend_hourly TO sluice_api;
GRANT INSERT ON jobs, payloads, results, outbox, tombstones TO sluice_api;
GRANT UPDATE ON jobs TO sluice_api;
GRANT EXECUTE ON FUNCTION today() TO sluice_api;

GRANT SELECT ON ledger, rollups, rollup_deltas, prices, spend_hourly, cost_per_business_unit_day, cost_per_feature_day,
	cost_per_environment_day, cost_per_usage_tier_day, cost_per_model_day, cache_share_per_feature, reroutes, waste,
	spend_share_per_feature, latency TO sluice_analyst;
GRANT EXECUTE ON FUNCTION today() TO sluice_analyst;
