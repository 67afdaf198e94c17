-- We hold nothing from one turn to the next: what is still claimed by us was lost on the way. $1 owner
UPDATE jobs SET state = 'PARKED', reason = 'handed_back', due = now(), owner = NULL, changed_at = now()
WHERE owner = $1 AND state = 'CLAIMED'
