# The command line against the real thing: what is submitted ends, is paid, and can be asked about.
. "$(dirname "$0")/stack.sh"

topics=()
for lane in economy standard frontier; do
	topics+=(--topic "sluice.$lane.express:4" --topic "sluice.$lane.normal:4" --topic "sluice.$lane.batch:4")
done
stack_start --topic sluice.intake:4 --topic sluice.results:4 --topic sluice.dead:4 "${topics[@]}"
export SLUICE_KAFKA_BROKERS=$KAFKA_BROKERS SLUICE_POSTGRES_URL=$POSTGRES_URL
export OPENAI_BASE_URL=$SIMULATOR_URL/v1 OPENAI_API_KEY=sk-a-key-that-nobody-may-see
cd "$TEST_DIR"

messages_in() # TOPIC
{
	"$SLUICE" topics list --json | jq -s "map(select(.topic == \"$1\")) | .[0].messages"
}

claim "a command before the tables says what to do"
if "$SLUICE" jobs list 2>err; then fail "it worked without tables"; fi
grep -q 'run `sluice migrate` first' err || fail "it says: $(cat err)"
"$SLUICE" migrate >/dev/null

claim "a word that is no command is answered with the nearest"
status=0
"$SLUICE" sumbit 2>err || status=$?
same "$status" 2 "exit code"
grep -q 'did you mean `sluice submit`' err || fail "it says: $(cat err)"

claim "a family of commands can be asked for help"
"$SLUICE" topics --help 2>err || fail "exit code $?"
grep -q 'topics create' err || fail "it says: $(cat err)"

claim "everything that died is not run again by a slip"
if "$SLUICE" dead replay 2>err; then fail "it was"; fi
grep -q -- '--all' err || fail "it says: $(cat err)"

claim "the doctor finds nothing broken, and shows no key"
"$SLUICE" doctor >doctor || fail "$(cat doctor)"
grep -q 'schema .*up to date' doctor || fail "$(cat doctor)"
if grep -q nobody-may-see doctor; then fail "the doctor shows the key"; fi

claim "nothing is sent when one line is bad, and the line is named"
cat >bad.jsonl <<'END'
{"prompt":{"messages":[{"role":"user","content":"good"}]}}
{"prompt":{"messages":[{"role":"user","content":"bad"}]},"output":{"type":"json_schema","schema":{"type":"objekt"}}}

{"prompt":{"messages":[{"role":"user","content":"bad"}]},"routing":{"tier":"no-such-tier"}}
END
status=0
"$SLUICE" submit bad.jsonl -u tests --tier economy 2>err || status=$?
same "$status" 1 "exit code"
grep -q 'line 2: /output/schema' err || fail "it says: $(cat err)"
grep -q 'line 4: /routing/tier' err || fail "it says: $(cat err)"
same "$(messages_in sluice.economy.normal)" 0 "messages sent"

claim "with --skip-bad the good ones are"
"$SLUICE" submit bad.jsonl -u tests --tier economy --skip-bad >ids 2>/dev/null || true
same "$(wc -l <ids)" 1 "ids printed"
same "$(messages_in sluice.economy.normal)" 1 "messages sent"

claim "a tier that is left open goes to the router, or is decided here"
"$SLUICE" submit -u tests -p 'who routes?' --dry-run 2>/dev/null
"$SLUICE" submit -u tests -p 'who routes?' --route --json >routed
same "$(jq -r .topic routed)" sluice.economy.normal topic

run_program worker event=worker_started -- "$SLUICE" worker --listen ''

claim "what submit prints, wait waits for; every job ends once and is paid"
for i in $(seq 100); do
	echo "{\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"Number $i\"}]},\"metadata\":{\"n\":$i.50}}"
done >jobs.jsonl
"$SLUICE" submit jobs.jsonl -u tests --tier economy >>ids 2>err || fail "submit: $(cat err)"
"$SLUICE" wait --timeout 60s --json <ids >ended 2>/dev/null || fail "$(cat ended)"
same "$(jq -s 'map(select(.outcome == "done")) | length' ended)" 101 "jobs done"
"$SLUICE" wait --timeout 60s "$(jq -r .job_id routed)" 2>err || fail "wait: $(cat err)"

claim "a line's own bytes are passed on as they are"
same "$(sql "SELECT count(*) FROM payloads WHERE convert_from(body, 'UTF8') LIKE '%\"n\":7.50}%'")" 1 "spelled 7.50"

claim "the same key is the same job"
first=$("$SLUICE" submit -u tests -T economy -p once -k key-1)
same "$("$SLUICE" submit -u tests -T economy -p once -k key-1)" "$first" id
"$SLUICE" wait "$first" --timeout 60s 2>/dev/null
same "$(sql "SELECT count(*) FROM attempts WHERE job_id = '$first'")" 1 "calls"

claim "costs are what the provider bills, and the audit finds nothing"
wait_for 30 "the outbox is empty" sql_is "SELECT count(*) FROM outbox" 0
same "$("$SLUICE" costs --by business_unit --json | jq -c '[.business_unit, .calls]')" '["tests",103]' costs
same "$("$SLUICE" costs --by business_unit --csv --since 1h | tail -n 1 | cut -d, -f3)" \
	"$("$SLUICE" costs --by prompt_name,user --json --since 1h | jq -s 'map(.usd) | add')" "sums and ledger"
"$SLUICE" audit --bill "$SIMULATOR_BILL" --complete >audit || fail "$(cat audit)"
grep -q '^ *103 ' audit || fail "$(tail -n 3 audit)"

claim "an ended job runs again, and keeps its first outcome"
"$SLUICE" jobs retry "$first" >/dev/null
"$SLUICE" wait "$first" --timeout 60s 2>/dev/null
same "$(sql "SELECT string_agg(run || ':' || outcome, ' ' ORDER BY run) FROM results WHERE job_id = '$first'")" \
	"0:DONE 1:DONE" outcomes
same "$("$SLUICE" jobs show "$first" --json | jq -c '[.state, .run, (.attempts | length)]')" '["done",1,2]' shown
if "$SLUICE" jobs show "$first" | grep -q once; then fail "the prompt is shown unasked"; fi
"$SLUICE" jobs show "$first" --prompt | grep -q once || fail "the prompt is not shown"

claim "a parked job that is cancelled ends cancelled; one that was never seen drops when it comes"
unseen=0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b
same "$("$SLUICE" jobs cancel $unseen --json | jq -r .cancel)" not_seen "cancel"
same "$("$SLUICE" jobs cancel "$first" --json | jq -r .cancel)" ended "cancel"
late=$("$SLUICE" submit -u tests -T economy -p later)
"$SLUICE" wait "$late" --timeout 60s 2>/dev/null
sql "UPDATE jobs SET state = 'PARKED', run = 1, due = now() + interval '1 day', reason = 'budget' WHERE job_id = '$late'"
same "$("$SLUICE" jobs cancel "$late" --json | jq -r .cancel)" requested "cancel"
wait_for 30 "the parked job is cancelled" sql_is "SELECT state FROM jobs WHERE job_id = '$late'" CANCELLED
echo "{\"job_id\":\"$unseen\",\"prompt\":{\"messages\":[{\"role\":\"user\",\"content\":\"too late\"}]}}" |
	"$SLUICE" submit -u tests -T economy >/dev/null
after=$("$SLUICE" submit -u tests -T economy -p 'after it')
"$SLUICE" wait "$after" --timeout 60s 2>/dev/null
same "$(sql "SELECT count(*) FROM jobs WHERE job_id = '$unseen'")" 0 "rows of the job cancelled unseen"
same "$(sql "SELECT count(*) FROM rejects")" 0 "rejects"

claim "a rejected message is listed, shown as it came, and sent again"
printf 'no job at all' | produce sluice.economy.normal -p 0
wait_for 30 "the message is rejected" sql_is "SELECT count(*) FROM rejects" 1
place=$("$SLUICE" dead list --json | jq -r .id)
same "$("$SLUICE" dead show "$place" 2>/dev/null)" "no job at all" bytes
"$SLUICE" dead replay "$place" >/dev/null
wait_for 30 "it is rejected again" sql_is "SELECT count(*) FROM rejects" 2

claim "status, lists and completions are well formed"
"$SLUICE" status --json | jq -se 'map(.part) | index("workers")' >/dev/null || fail "status"
"$SLUICE" jobs list --state done --limit 3 --json | jq -se 'length == 3' >/dev/null || fail "jobs list"
"$SLUICE" completion bash | bash -n || fail "completion"
bash -c 'source <("$SLUICE" completion bash); COMP_WORDS=(sluice jobs ca) COMP_CWORD=2; _sluice
	[ "${COMPREPLY[0]}" = cancel ]' || fail "completion of jobs ca"
