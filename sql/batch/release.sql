-- We leave: others may take our batches at once. $1 owner
UPDATE batches SET owner = NULL, lease_until = NULL WHERE owner = $1
