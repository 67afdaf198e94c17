-- Every parked job says why it waits and until when.
SELECT job_id::text AS job, business_unit AS unit, coalesce(reason, '') AS reason, coalesce(due::text, '') AS due
FROM jobs WHERE state = 'PARKED' AND (reason IS NULL OR reason = '' OR due IS NULL)
