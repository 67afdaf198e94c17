-- A batch that jobs may join, held by us. $1 batch, $2 owner, $3 provider, $4 dialect, $5 model, $6 endpoint, $7 credential
INSERT INTO batches (batch_id, owner, lease_until, provider, dialect, model, endpoint, credential)
VALUES ($1, $2, now() + interval '15 s', $3, $4, $5, $6, $7)
ON CONFLICT (batch_id) DO UPDATE SET lease_until = now() + interval '15 s'
