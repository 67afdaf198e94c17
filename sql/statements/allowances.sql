-- Every allowance in force, as far as a worker must know it, and the version of them all.
SELECT allowance_id, kind, unit, period, policy, coalesce(scope ->> 'provider', '') AS provider,
	coalesce(scope ->> 'credential', '') AS credential, coalesce(scope ->> 'model', '') AS model,
	coalesce(scope ->> 'business_unit', '') AS business_unit, coalesce(scope ->> 'feature', '') AS feature,
	coalesce(scope ->> 'environment', '') AS environment, coalesce(scope ->> 'usage_tier', '') AS usage_tier,
	coalesce(scope ->> 'user', '') AS user_name, coalesce(scope ->> 'plan', '') AS plan, coalesce(scope ->> 'task', '') AS task,
	(SELECT max(version) FROM allowances) AS version, version AS own_version
FROM allowances WHERE NOT retired ORDER BY allowance_id
