# Every check of the audit is seen red: an oracle that never was is no evidence. Each contradiction
# is made in a copy of a database in which everything is in order.
. "$(dirname "$0")/stack.sh"

stack_start --kafka none --simulator no --fast
export SLUICE_POSTGRES_URL=$POSTGRES_URL
cd "$TEST_DIR"
"$SLUICE" migrate >/dev/null

# One job that was done at the second attempt, one that died of a lost answer, one parked, one at work.
sql "SET search_path = sluice;
INSERT INTO workers (worker_id, host, pid, version, role, started_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'host', 1, 'test', 'sync', now() - interval '1 hour');
UPDATE workers SET beat_at = now() + interval '1 hour';
INSERT INTO jobs (job_id, state, run, hop, epoch, day, lane, fingerprint, tier, business_unit, reason, due, owner) VALUES
	('00000000-0000-7000-8000-00000000000a', 'DONE', 0, 0, 1, today(), 'normal', '', 'economy', 'search', NULL, NULL, NULL),
	('00000000-0000-7000-8000-00000000000b', 'DEAD', 0, 0, 1, today(), 'normal', '', 'economy', 'search', 'lost', NULL, NULL),
	('00000000-0000-7000-8000-00000000000c', 'PARKED', 0, 0, 1, today(), 'normal', '', 'economy', 'ads', 'budget', now() + interval '1 h', NULL),
	('00000000-0000-7000-8000-00000000000d', 'CLAIMED', 0, 0, 1, today(), 'normal', '', 'economy', 'ads', NULL, NULL, '00000000-0000-7000-8000-000000000001');
INSERT INTO payloads (day, job_id, free_plan, business_unit, feature, environment, usage_tier, user_name, task, prompt_name, prompt_version, body)
SELECT day, job_id, false, business_unit, '', '', '', '', '', '', '', '{}' FROM jobs;
INSERT INTO attempts (day, attempt_id, job_id, run, hop, epoch, state, lane, worker_id, provider, model, credential, tier, mode, verdict, bound)
SELECT today(), a, j, 0, 0, 1, s::attempt_state, 'normal', '00000000-0000-7000-8000-000000000001', 'openai', 'gpt-4o-mini', 'key', 'economy', 'sync', v, 5000
FROM (VALUES
	('00000000-0000-7000-8000-0000000000a1'::uuid, '00000000-0000-7000-8000-00000000000a'::uuid, 'closed', 'repair'),
	('00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-00000000000a', 'closed', 'accept'),
	('00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-00000000000b', 'unknown', 'unknown'),
	('00000000-0000-7000-8000-0000000000d1', '00000000-0000-7000-8000-00000000000d', 'sent', NULL)) AS t(a, j, s, v);
INSERT INTO ledger (month, attempt_id, kind, job_id, run, hop, sent_at, amount, input, output, free_plan, lane, business_unit, feature,
	environment, usage_tier, user_name, task, prompt_name, prompt_version, provider, model, credential, tier, mode, purpose)
SELECT date_trunc('month', a.day)::date, a.attempt_id, CASE a.state WHEN 'unknown' THEN 'unknown' ELSE 'charge' END::ledger_kind, a.job_id,
	0, 0, a.sent_at, CASE a.state WHEN 'unknown' THEN a.bound ELSE 1234 END, 90, 10, false, a.lane, p.business_unit, '', '', '', '', '', '', '',
	a.provider, a.model, a.credential, a.tier, a.mode, CASE a.verdict WHEN 'accept' THEN 'accepted' ELSE a.verdict END
FROM attempts a JOIN payloads p USING (job_id) WHERE a.state <> 'sent';
INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
	calls, unpriced, amount, input, cache_read, cache_write, output)
SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
	count(*), 0, sum(amount), sum(input), 0, 0, sum(output) FROM ledger GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12;
SELECT fold_rollups(1);
INSERT INTO results (day, job_id, run, outcome, reason, attempts, cost, tier, provider, model)
SELECT day, job_id, 0, state, CASE state WHEN 'DONE' THEN 'accepted' ELSE 'lost' END, 1, 1, 'economy',
	CASE state WHEN 'DONE' THEN 'openai' END, CASE state WHEN 'DONE' THEN 'gpt-4o-mini' END
FROM jobs WHERE state IN ('DONE', 'DEAD');
INSERT INTO outbox (event_id, job_id, next_try, kind, topic, key, body)
VALUES (gen_random_uuid(), '00000000-0000-7000-8000-00000000000a', now(), 'result', 'sluice.results', '', '');" >/dev/null

claim "a database in order contradicts nothing"
"$SLUICE" audit >audit || fail "$(cat audit)"

server=${POSTGRES_URL%/*}
database=${POSTGRES_URL##*/}
seen=()

# contradicts CHECK SQL: in a copy where the statements were run, the check and the whole audit fail.
contradicts()
{
	local copy="$server/copy" status=0
	claim "$1 is seen"
	seen+=("$1")
	PGOPTIONS="-c client_min_messages=warning" psql -X -q "$server/postgres" -c "DROP DATABASE IF EXISTS copy" \
		-c "CREATE DATABASE copy TEMPLATE $database"
	psql -X -q -v ON_ERROR_STOP=1 "$copy" -c "SET search_path = sluice; SET session_replication_role = replica; $2" >/dev/null
	SLUICE_POSTGRES_URL=$copy "$SLUICE" audit "$1" >found 2>&1 || status=$?
	same "$status" 1 "exit code of the check ($(cat found))"
	grep -q "^But:" found || fail "no finding is shown: $(cat found)"
}

a=00000000-0000-7000-8000-00000000000a
c=00000000-0000-7000-8000-00000000000c
d=00000000-0000-7000-8000-00000000000d
contradicts terminal_without_result "DELETE FROM results WHERE job_id = '$a'"
contradicts terminal_without_result "UPDATE results SET reason = '' WHERE job_id = '$a'"
contradicts two_outcomes "UPDATE results SET outcome = 'DEAD' WHERE job_id = '$a'"
contradicts two_outcomes "INSERT INTO results (day, job_id, run, outcome, reason) SELECT day + 1, job_id, run, outcome, reason FROM results"
contradicts result_without_charge "DELETE FROM ledger WHERE job_id = '$a'"
contradicts charge_without_attempt "DELETE FROM attempts WHERE verdict = 'accept'"
contradicts two_charges "INSERT INTO ledger SELECT (json_populate_record(l, '{\"kind\":\"unknown\"}')).* FROM ledger l WHERE purpose = 'accepted'"
contradicts adjustment_without_base "UPDATE ledger SET kind = 'adjustment' WHERE purpose = 'accepted'"
contradicts unknown_not_booked "DELETE FROM ledger WHERE kind = 'unknown'"
contradicts unknown_not_booked "UPDATE ledger SET amount = amount - 1 WHERE kind = 'unknown'"
shared="INSERT INTO ledger SELECT (json_populate_record(l, '{\"kind\":\"share\",\"seq\":1,\"amount\":100}')).* FROM ledger l WHERE purpose = 'accepted'"
contradicts shares_uneven "$shared"
contradicts shares_uneven "$shared; UPDATE ledger SET amount = 0 WHERE kind = 'share'"
contradicts sums_differ "$shared"
contradicts sums_differ "UPDATE rollups SET amount = amount + 0.5"
contradicts sums_differ "DELETE FROM rollup_deltas"
contradicts sums_differ "DELETE FROM ledger WHERE purpose = 'repair'"
contradicts outbox_old "UPDATE outbox SET created_at = now() - interval '11 minutes'"
contradicts attempt_left_open "UPDATE attempts SET sent_at = now() - interval '3 minutes'; UPDATE workers SET beat_at = now() - interval '3 minutes'"
contradicts attempt_left_open "UPDATE attempts SET sent_at = now() - interval '3 minutes'; DELETE FROM jobs WHERE job_id = '$d'"
contradicts claimed_by_nobody "UPDATE jobs SET changed_at = now() - interval '3 minutes'; DELETE FROM workers"
contradicts unpriced "UPDATE ledger SET amount = NULL WHERE purpose = 'repair'"
contradicts parked_without_reason "UPDATE jobs SET reason = '' WHERE job_id = '$c'"
contradicts parked_overdue "UPDATE jobs SET due = now() - interval '11 minutes' WHERE job_id = '$c'"
contradicts job_without_payload "DELETE FROM payloads WHERE job_id = '$c'"
balance="INSERT INTO allowances (kind, unit, period, scope, cap, source, changed_by, version) VALUES ('balance', 'usd', 'none', '{}', 9999, 'user', 'test', 1)"
hold="INSERT INTO reservations (attempt_id, allowance_id, lease_id, unit, amount) SELECT attempt_id, allowance_id, gen_random_uuid(), 'usd', 5 FROM allowances, attempts"
contradicts balance_differs "$balance; UPDATE allowances SET reserved = 7"
contradicts balance_differs "$balance; UPDATE allowances SET reserved = 4; $hold WHERE state = 'sent'"
contradicts reservation_without_attempt "$balance; UPDATE allowances SET reserved = 5; $hold WHERE attempt_id = '00000000-0000-7000-8000-0000000000a2'"
batch="INSERT INTO batches (batch_id, state, provider, dialect, model, endpoint, credential, provider_batch_id, lines, cost)
	VALUES ('00000000-0000-7000-8000-0000000000e1', 'imported', 'openai', 'openai', 'gpt-4o-mini', '/v1', 'key', 'batch_1', 1, 1234);
	UPDATE attempts SET batch_id = '00000000-0000-7000-8000-0000000000e1' WHERE attempt_id = '00000000-0000-7000-8000-0000000000a2'"
contradicts batch_sums_differ "$batch; UPDATE batches SET cost = cost + 1"
contradicts batched_without_batch "UPDATE jobs SET state = 'BATCHED', owner = NULL, changed_at = now() - interval '3 minutes' WHERE job_id = '$d'"

claim "every check was seen red"
same "$("$SLUICE" audit --list --json | jq -r .check | sort)" "$(printf '%s\n' "${seen[@]}" | sort -u)" checks

claim "a bill that says the same finds nothing, and an unknown may be above it"
cat >bill <<END
{"id":"00000000-0000-7000-8000-0000000000a1","request":"r1","amount":"1234","at":$(date +%s000)}
{"id":"00000000-0000-7000-8000-0000000000a1","request":"r1","delivered":true}
{"id":"00000000-0000-7000-8000-0000000000a2","request":"r2","amount":1234}
{"id":"00000000-0000-7000-8000-0000000000b1","request":"r3","amount":"4000"}
END
"$SLUICE" audit --bill bill --complete >audit 2>&1 || fail "$(tail -n 5 audit)"

# finds FINDING: the bill in the file `wrong` has it.
finds()
{
	claim "the bill: $1"
	if "$SLUICE" audit --bill wrong --complete >audit 2>&1; then fail "nothing was found"; fi
	grep -q "^$1 " audit || fail "$(tail -n 5 audit)"
}
sed 's/"amount":1234/"amount":1235/' bill >wrong
finds "amounts differ"
grep -v a2 bill >wrong
finds "booked, not billed"
sed 's/4000/5001/' bill >wrong
finds "unknown below the bill"
{ cat bill; sed -n 's/r2/r9/p' bill; } >wrong
finds "billed more than once"
{ cat bill; echo '{"id":"00000000-0000-7000-8000-0000000000ff","amount":1}'; } >wrong
finds "billed, not announced by any attempt"
{ cat bill; echo '{"id":"00000000-0000-7000-8000-0000000000d1","amount":7}'; } >open
claim "the bill: a call still open is not held against us"
"$SLUICE" audit --bill open --complete >audit 2>&1 || fail "$(tail -n 5 audit)"
printf '{"id":"x","amount":-1}\n' >wrong
if "$SLUICE" audit --bill wrong 2>err; then fail "a negative amount was read"; fi
grep -q 'line 1' err || fail "it says: $(cat err)"

claim "booking makes the sums equal, once, and keeps every other promise"
"$SLUICE" audit --bill bill --complete --book --json >audit 2>&1 || fail "$(tail -n 5 audit)"
same "$(jq -s 'map(select(.adjustments_booked != null)) | .[0] | [.adjustments_booked, .unknown_closed] | join(" ")' -r audit)" "1 1" booked
same "$(jq -s 'map(select(has("difference"))) | .[0].difference' audit)" 0 difference
"$SLUICE" audit --bill bill --complete --book --json >audit 2>&1 || fail "$(tail -n 5 audit)"
same "$(jq -s 'map(select(.adjustments_booked != null)) | .[0].adjustments_booked' audit)" 0 "booked again"
same "$("$SLUICE" costs --by business_unit --csv | tail -n 1 | cut -d, -f3)" 0.000000006468 "costs after booking"
"$SLUICE" audit >audit || fail "$(cat audit)"

claim "a call whose cost is shared is put right by one adjustment, and its shares stay as they are"
sql "SET search_path = sluice;
WITH shared AS (
	INSERT INTO ledger SELECT (json_populate_record(l, json_build_object('kind', 'share', 'seq', s, 'amount', 600 * (2 * s - 1),
		'job_id', CASE s WHEN 0 THEN '$a' ELSE '$c' END, 'input', 0, 'output', 0))).*
	FROM ledger l, generate_series(0, 1) AS s WHERE l.purpose = 'accepted' AND l.kind = 'charge' RETURNING *
)
INSERT INTO rollup_deltas (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
	calls, unpriced, amount, input, cache_read, cache_write, output)
SELECT date_trunc('hour', sent_at), business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose,
	0, 0, sum(amount), 0, 0, 0, 0 FROM shared GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12" >/dev/null
"$SLUICE" audit --bill bill --complete >audit 2>&1 || fail "$(tail -n 5 audit)"
sed '/a2/s/"amount":1234/"amount":1240/' bill >dearer
"$SLUICE" audit --bill dearer --complete --book --json >audit 2>&1 || fail "$(tail -n 5 audit)"
same "$(jq -s 'map(select(.adjustments_booked != null)) | .[0].adjustments_booked' audit)" 1 "booked"
same "$(sql "SELECT kind, sum(amount), count(*) FROM sluice.ledger WHERE attempt_id::text LIKE '%a2' GROUP BY 1 ORDER BY 1" | paste -sd' ')" \
	"charge|1234|1 adjustment|6|1 share|0|2" "rows of the shared call"
"$SLUICE" audit >audit || fail "$(cat audit)"
