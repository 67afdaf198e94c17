-- A rejected message as it came. $1 topic, $2 partition, $3 offset
SELECT reason, detail, to_char(at, 'YYYY-MM-DD HH24:MI:SS') AS at, coalesce(job_id::text, '') AS job, body
FROM rejects WHERE topic = $1 AND partition_no = $2 AND offset_no = $3
