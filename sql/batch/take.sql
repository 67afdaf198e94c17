-- Batches that nobody holds, or whose holder is gone. $1 owner, $2 how many
WITH free AS (
	SELECT batch_id FROM batches
	WHERE state NOT IN ('imported', 'held', 'failed') AND (owner IS NULL OR lease_until < now()) AND look_at <= now()
	ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE batches b SET owner = $1, lease_until = now() + interval '15 s', fence = b.fence + 1
FROM free f WHERE b.batch_id = f.batch_id
RETURNING b.batch_id, b.fence, b.state::text, b.provider, b.model, b.endpoint, b.credential, b.lines, b.bytes, b.creates, b.looks,
	b.tries, b.file_id, b.provider_batch_id, b.output_file_id, b.error_file_id, b.import_file::int, b.cursor,
	b.intended_at, b.create_intended_at, b.cancel_requested, b.opened_at, b.tokens, b.rescued
