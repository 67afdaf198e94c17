-- We are alive: our leases hold on. $1 owner, $2 batches, $3 fences. What comes back is still ours.
UPDATE batches b SET lease_until = now() + interval '15 s'
FROM unnest($2::uuid[], $3::int[]) AS t(batch_id, fence)
WHERE b.batch_id = t.batch_id AND b.fence = t.fence AND b.owner = $1
RETURNING b.batch_id
