-- Which of these of the provider's batches are ours already. $1 provider, $2 ids
SELECT provider_batch_id FROM batches WHERE provider = $1 AND provider_batch_id = ANY ($2::text[])
