-- What came of webhooks. $1 ids, $2 numbers of their tries, $3 fates, $4 statuses, $5 failures, $6 waits in ms,
-- $7 pauses the endpoints asked for in ms, $8 how long they took in ms
SELECT webhook_record($1::uuid[], $2::int[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::bigint[], $8::int[]) AS recorded
