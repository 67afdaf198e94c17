-- What is pulled is fair as well: paid before free, turn by turn over business units. The index is what a pull walks; it
-- holds parked rows only, so the way of a job that never parks is as it was.
ALTER TABLE jobs ADD COLUMN free_plan boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN jobs.free_plan IS 'As in its payload: paid jobs are pulled before free ones.';
CREATE INDEX jobs_parked_unit ON jobs (tier, lane, free_plan, business_unit, due) WHERE state = 'PARKED';
