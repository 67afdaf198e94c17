-- How the jobs stand that a settle or an intent did not hit. $1 job ids.
SELECT job_id, state::text, epoch, owner, cancel_requested, run FROM jobs WHERE job_id = ANY ($1::uuid[])
