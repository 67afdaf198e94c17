-- Everything the database thinks this worker holds. $1 worker id
SELECT job_id, epoch, claim_id FROM jobs WHERE owner = $1 AND state = 'CLAIMED'
