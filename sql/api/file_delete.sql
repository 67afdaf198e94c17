-- Nobody sees it any more; its bytes go with a sweep. $1 units the key sees (null: all), $2 key, $3 file id
UPDATE api_files SET deleted_at = now()
WHERE file_id = $3 AND ($1::text[] IS NULL OR business_unit = ANY ($1) OR key_id = $2) AND deleted_at IS NULL AND expires_at > now()
RETURNING file_id
