-- Every price, newest last.
SELECT provider, model, mode, effective_from, input::int8, cache_read::int8, cache_write::int8, cache_write_1h::int8, output::int8,
	coalesce(long_prompt, 0) AS long_prompt, coalesce(long_input, input)::int8, coalesce(long_cache_read, cache_read)::int8,
	coalesce(long_cache_write, cache_write)::int8, coalesce(long_cache_write_1h, cache_write_1h)::int8, coalesce(long_output, output)::int8
FROM prices
