# The statements of a worker's claims and settles find rows by whole keys, in a database whose statistics say that every
# table is empty: such a plan is made at midnight, when the day's partitions are new, and kept while they fill.
. "$(dirname "$0")/stack.sh"

stack_start --kafka none --simulator no --fast
export SLUICE_POSTGRES_URL=$POSTGRES_URL
cd "$TEST_DIR"
"$SLUICE" migrate >/dev/null
sql "ANALYZE" >/dev/null

# As connections with looks_up ask (common/pg.c).
export PGOPTIONS="-c search_path=sluice -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"

plan_of() # NAME: of a statement
{
	local file=$SLUICE_SOURCE/sql/statements/$1.sql count
	count=$(grep -o '\$[0-9]*' "$file" | tr -d '$' | sort -n | tail -1)
	{
		echo "PREPARE p AS"
		cat "$file"
		echo "; EXPLAIN (COSTS OFF) EXECUTE p($(yes NULL | head -"$count" | paste -sd,));"
	} >"$1.sql"
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$POSTGRES_URL" -f "$1.sql"
}

for name in claim intend settle classify outbox_paid; do
	claim "$name reads no table from end to end"
	plan_of "$name" >"$name.plan" || fail "the plan of $name"
	grep -q 'Index' "$name.plan" || fail "the plan of $name names no index: $(cat "$name.plan")"
	! grep -E 'Seq Scan on|Hash Join|Merge Join' "$name.plan" || fail "$name: see the plan above"

	claim "$name asks a day's partition for the day and the key"
	! grep -A1 -E 'Index (Only )?Scan using (attempts|payloads|results)_[0-9]+_pkey' "$name.plan" |
		grep 'Index Cond' | grep -v -E 'day = .* AND \((attempt_id|job_id) = ' ||
		fail "$name: half a key, see above"
done
