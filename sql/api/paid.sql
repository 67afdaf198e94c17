-- Delivered: the debts are paid. $1 event ids.
DELETE FROM outbox WHERE event_id = ANY ($1::uuid[])
