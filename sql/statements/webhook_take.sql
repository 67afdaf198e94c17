-- Webhooks to post now. $1 at most, $2 endpoints with enough calls open
SELECT event_id, url, unit, headers, body, tries, age_ms FROM webhook_take($1::int, $2::text[])
