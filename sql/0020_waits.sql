-- What a job has waited for, kept when a wait ends: in its row where the row waited, with the attempt that followed where a
-- worker held it. Written by the statements that end the wait, so a job that never waits is as it was.
ALTER TABLE jobs ADD COLUMN waits jsonb;
COMMENT ON COLUMN jobs.waits IS 'Waits that are over, oldest first: reason, since, until (ms since 1970), ms altogether, times. At most 20; the first may sum up earlier ones.';
ALTER TABLE attempts ADD COLUMN waited_ms integer, ADD COLUMN waited_for text;
COMMENT ON COLUMN attempts.waited_ms IS 'How long its job lay in the worker before it was sent, where that was long enough to tell; NULL: it was not.';
COMMENT ON COLUMN attempts.waited_for IS 'What for, for the most part: a code.';

-- One more wait that ends now. Waits one after the other for the same thing are one, of several times.
CREATE FUNCTION wait_over(waits jsonb, why text, since timestamptz) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
	known   jsonb := coalesce(waits, '[]');
	latest  jsonb := known -> -1;
	begun   bigint := floor(extract(epoch FROM since) * 1000);
	ended   bigint := floor(extract(epoch FROM now()) * 1000);
BEGIN
	IF latest ->> 'reason' = why THEN
		RETURN jsonb_set(known, '{-1}', latest || jsonb_build_object('until', ended, 'ms', (latest ->> 'ms')::bigint + ended - begun,
			'times', (latest ->> 'times')::int + 1));
	END IF;
	IF jsonb_array_length(known) >= 20 THEN
		known := jsonb_build_array(jsonb_build_object('reason', 'earlier', 'since', known #> '{0,since}', 'until', known #> '{1,until}',
			'ms', (known #>> '{0,ms}')::bigint + (known #>> '{1,ms}')::bigint,
			'times', (known #>> '{0,times}')::int + (known #>> '{1,times}')::int)) || (known - 0 - 0);
	END IF;
	RETURN known || jsonb_build_array(jsonb_build_object('reason', why, 'since', begun, 'until', ended, 'ms', ended - begun, 'times', 1));
END $$;

REVOKE EXECUTE ON FUNCTION wait_over(jsonb, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wait_over(jsonb, text, timestamptz) TO sluice_worker, sluice_api;
