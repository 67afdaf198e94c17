-- More of a provider's rate is used when its bucket starts empty.

-- Refill by the clock. While the provider tells what is left we aim at a bucket that is nearly empty: fuller means that we
-- could go faster, emptier that others use the key or that we guess too low. What is kept back, 9 s of a minute's limit, is
-- as good as lost for whoever starts with an empty bucket, so it is little; replies are told of within a second or two.
-- After a pause the rate ramps up.
CREATE OR REPLACE FUNCTION rate_refill(a allowances, ts timestamptz, credit double precision) RETURNS allowances LANGUAGE plpgsql AS $$
DECLARE
	top double precision := rate_top(a);
	seconds double precision := seconds_of(a.period);
	passed double precision := greatest(0, extract(epoch FROM ts - a.level_at));
	per_second double precision := top / seconds;
	burst double precision := CASE WHEN a.period IN ('day', 'month') THEN top ELSE per_second * seconds / 30 END;
	speed double precision := a.learned;
BEGIN
	IF ts - a.granted_at > interval '60 s' THEN
		a.ramp_at := ts;
	END IF;
	IF a.period = 'minute' THEN
		speed := speed * least(1, 0.25 + 0.075 * extract(epoch FROM ts - a.ramp_at));
		IF ts - a.said_at < interval '5 s' THEN
			speed := speed * least(2, greatest(0.1,
				((a.said_left - a.since_said) / top + extract(epoch FROM ts - a.said_at) / seconds) / 0.15));
		END IF;
	END IF;
	IF a.learned < 1 AND ts - a.learned_at > interval '60 s' THEN
		a.learned := least(1, a.learned + 0.02 * passed / 60);
	END IF;
	a.level := least(burst, coalesce(a.level, CASE WHEN a.period IN ('day', 'month') THEN top ELSE 0 END)
		+ per_second * passed * speed + credit);
	a.thought := least(top, coalesce(a.thought, top) + per_second * passed + credit);
	a.level_at := ts;
	RETURN a;
END $$;
