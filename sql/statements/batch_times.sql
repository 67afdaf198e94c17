-- How long recent batches of each model took.
SELECT provider, model, batches, p95_s FROM batch_times()
