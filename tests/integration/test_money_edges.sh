# Money at the edges: a bound that had no price, and an answer lost on a day after its job's.
. "$(dirname "$0")/stack.sh"

stack_start --kafka none --simulator no --fast
export SLUICE_POSTGRES_URL=$POSTGRES_URL
cd "$TEST_DIR"
"$SLUICE" migrate >/dev/null

# A job that was done 40 days ago, whose second attempt was made today and lost; no price was known.
job=00000000-0000-7000-8000-00000000000a
attempt=00000000-0000-7000-8000-0000000000a1
sql "SET search_path = sluice;
DO \$\$ DECLARE base text; d date := today() - 40; BEGIN
	FOREACH base IN ARRAY ARRAY['payloads', 'attempts', 'results'] LOOP
		EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', base || to_char(d, '_YYYYMMDD'), base, d, d + 1);
	END LOOP;
END \$\$;
INSERT INTO jobs (job_id, state, run, hop, epoch, day, lane, fingerprint, tier, business_unit)
VALUES ('$job', 'DONE', 0, 0, 1, today() - 40, 'normal', '', 'economy', 'search');
INSERT INTO payloads (day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task, prompt_name, prompt_version, body)
SELECT day, job_id, false, business_unit, '', '', '', '', '', '', '', '{}' FROM jobs;
INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, state, lane, worker_id, provider, model, credential, tier, mode)
VALUES (today(), '$attempt', '$job', 0, 0, 1, 'sent', 'normal', gen_random_uuid(), 'own', 'new-model', 'key', 'economy', 'sync');
SELECT write_off(ARRAY['$job'::uuid]);" >/dev/null
same "$(sql "SELECT kind, amount IS NULL FROM sluice.ledger")" 'unknown|t' "the ledger after the loss"

claim "a day is kept while an answer to one of its jobs may still be booked, whenever it was asked for"
same "$(sql "SET search_path = sluice; SELECT drop_old_days(30, 60)")" 0 "days dropped"

claim "what the answer cost is booked whole where its bound had no price"
{
	printf 'SET search_path = sluice;\nPREPARE settle AS\n'
	cat "$SLUICE_SOURCE/sql/statements/settle.sql"
	printf ";\nEXECUTE settle('{%s}', ARRAY[today() - date '2000-01-01'], '{closed}', '{accept}', '{accepted}', '{answer}', '{200}', " $attempt
	printf "'{new-model}', ARRAY[''], '{1}', '{1}', '{null}', '{null}', '{null}', '{t}', '{700}', '{5}', '{0}', '{0}', '{0}', '{2}', '{0}', '{0}'"
	parameters=$(grep -o '\$[0-9]*' "$SLUICE_SOURCE/sql/statements/settle.sql" | tr -d '$' | sort -n | tail -1)
	for _ in $(seq 24 "$parameters"); do printf ", '{}'"; done # no decisions, no debts
	printf ');\n'
} >settle.sql
psql -X -q -v ON_ERROR_STOP=1 "$POSTGRES_URL" -f settle.sql >/dev/null || fail "settle"
same "$(sql "SELECT kind, amount FROM sluice.ledger WHERE amount IS NOT NULL")" 'adjustment|700' "the adjustment"
same "$(sql "SELECT sum(amount), sum(calls) FROM sluice.rollup_deltas")" '700|2' "the sums"

claim "then the day goes"
same "$(sql "SET search_path = sluice; SELECT drop_old_days(30, 60)")" 1 "days dropped"
same "$(sql "SELECT state FROM sluice.tombstones WHERE job_id = '$job'")" DONE "the tombstone"

