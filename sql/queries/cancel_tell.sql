-- What was just owed is due at once: nobody is about to publish it. $1 event ids
UPDATE outbox SET next_try = now() WHERE event_id = ANY ($1::uuid[])
