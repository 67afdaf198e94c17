-- What to do with jobs that others may have asked already. $1 worker; per job: $2 id, $3 epoch, $4 key of its question, $5 how
-- long it may wait for another's call in ms. See the function: hit, lead, go or wait.
SELECT said_job, said_verdict, said_provider, said_model, said_json, said_unmeasured, said_confidence, said_output
FROM recall($1, $2::uuid[], $3::int[], $4::bytea[], $5::int8[])
