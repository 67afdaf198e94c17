-- Drop the days past retention, leave tombstones. $1 days kept, $2 days tombstones are kept
SELECT drop_old_days($1, $2) AS dropped, webhook_forget($1) AS webhooks
