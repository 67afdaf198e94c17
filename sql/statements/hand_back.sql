-- Give jobs back without a decision. $1 worker, $2 job ids, $3 attempts surely not sent, $4 their days
SELECT hand_back($1, $2, $3, $4) AS job_id
