# The router: every job of the intake reaches the topic of its tier and lane, whatever happens to it.
. "$(dirname "$0")/stack.sh"

job() # KEY [MEMBERS]
{
	printf '{"version":1,"business_unit":"claims","idempotency_key":"%s",%s"prompt":{"messages":[{"role":"user","content":"Say %s"}]}}\n' \
		"$1" "${2:-}" "$1"
}

jobs() # FIRST LAST
{
	for i in $(seq "$1" "$2"); do job "k$i"; done
}

keys() # TOPIC...: what arrived, each key once
{
	for topic in "$@"; do consume "$topic"; done | jq -r 'select(.idempotency_key) | .idempotency_key' | sort -u
}

arrived() # COUNT TOPIC...
{
	local count=$1
	shift
	[ "$(keys "$@" | wc -l)" = "$count" ]
}

router() # [VARIABLE=VALUE...]
{
	run_program router router_started -- env SLUICE_LOG=debug SLUICE_KAFKA_BROKERS="$KAFKA_BROKERS" "$@" \
		"$SLUICE" router --config "$TEST_DIR/sluice.yaml"
}

routed() # how many messages routers of this test have passed on, since its log began anew
{
	grep -c job_routed "$TEST_DIR/router.log" || true
}

# The embedded broker lets a group wait for most of a session before it forms anew.
sed 's/^kafka:/kafka:\n  options: {session.timeout.ms: 6000}/' "$SLUICE_SOURCE/schemas/default-config.yaml" \
	>"$TEST_DIR/sluice.yaml"
tier_topics=(sluice.economy.normal sluice.standard.normal sluice.frontier.normal sluice.economy.batch)
topics=(--topic sluice.intake:4 --topic sluice.dead:1)
for topic in "${tier_topics[@]}"; do topics+=(--topic "$topic:12"); done
stack_start --postgres no --simulator no --group sluice-workers-router "${topics[@]}"
router

claim "a job goes where its own words, its task and its deadline lead, with hop, key and its other headers"
{
	job plain
	job own '"routing":{"tier":"frontier"},'
	job task '"task":"summarize",'
	job patient "\"routing\":{\"deadline\":\"$(date -u -d '+3 days' +%FT%TZ)\"},"
} | produce sluice.intake -H traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 -H sluice-hop=2
wait_for 30 "four jobs have arrived" arrived 4 "${tier_topics[@]}"
same "$(keys sluice.economy.normal)" plain "economy, normal"
same "$(keys sluice.frontier.normal)" own "frontier, normal"
same "$(keys sluice.standard.normal)" task "standard, normal"
same "$(keys sluice.economy.batch)" patient "economy, batch"
same "$(consume sluice.frontier.normal -f '%h\n' | tr ',' '\n' | sort | tr '\n' ' ')" \
	"sluice-hop=3 traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 " "headers"
same "$(consume sluice.frontier.normal -f '%k\n')" claims "key"
same "$(consume sluice.frontier.normal | jq -r '.routed.reasons[0]')" "the job asks for tier frontier" "reason"

claim "what is no job is on the dead topic, bit for bit, with what is wrong"
printf '{"version":1,"colour":"\377red"}' >"$TEST_DIR/bad"
kcat -P -q -b "$KAFKA_BROKERS" -t sluice.intake "$TEST_DIR/bad"
wait_for 30 "one dead letter" bash -c "[ \$(kcat -C -e -q -b $KAFKA_BROKERS -t sluice.dead | wc -l) = 1 ]"
consume sluice.dead | jq -r .bytes | base64 -d | cmp - "$TEST_DIR/bad" || fail "other bytes"
same "$(consume sluice.dead | jq -r '.reason + " " + .source.topic')" "unparseable sluice.intake" "dead letter"

claim "a unit's jobs keep to four partitions, and there are more"
jobs 2001 2100 | produce sluice.intake
wait_for 30 "a hundred jobs have arrived" arrived 101 sluice.economy.normal
same "$(consume sluice.economy.normal -f '%p\n' | sort -u | wc -l)" 4 "partitions"

claim "after SIGTERM nothing is passed on twice"
stop_program router
grep -q 'router_stopped unfinished=0' "$TEST_DIR/router.log" || fail "it left something behind"
router
job after-stop | produce sluice.intake
wait_for 30 "the job has arrived" arrived 102 sluice.economy.normal
same "$(routed)" 1 "messages passed on by the second router"

claim "killed anywhere on the way, it loses no job, and what comes twice is the same job"
count=102
for point in T01@7 T02@7 T03@1; do
	stop_program router
	router SLUICE_FAILPOINTS="${point/@/=crash@}" SLUICE_FAILPOINT_LOG="$TEST_DIR/fired"
	jobs $((count + 3000)) $((count + 3199)) | produce sluice.intake
	count=$((count + 200))
	wait_for 30 "$point kills it" grep -qs "${point%@*}" "$TEST_DIR/fired"
	kill_program router || true
	router
	wait_for 60 "all jobs have arrived after $point" arrived $count sluice.economy.normal
done
same "$(keys sluice.economy.normal | grep -c '^k')" 700 "jobs"

claim "a job without an id keeps the one of its place, however often it is passed on"
stop_program router
router SLUICE_FAILPOINTS=T02=crash@1 SLUICE_FAILPOINT_LOG="$TEST_DIR/fired2"
echo '{"version":1,"business_unit":"anon","prompt":{"messages":[{"role":"user","content":"x"}]}}' | produce sluice.intake
wait_for 30 "T02 kills it" grep -qs T02 "$TEST_DIR/fired2"
kill_program router || true
router
anonymous() { consume sluice.economy.normal | jq -r 'select(.business_unit == "anon") | .job_id'; }
# Once or twice: the first copy may have died on its way out of the killed process.
passed_on() { [ "$(anonymous | wc -l)" -ge 1 ]; }
wait_for 30 "it is passed on" passed_on
same "$(anonymous | sort -u | wc -l)" 1 "ids of the one job"

claim "while the broker is away nothing is lost"
jobs 1001 1100 | produce sluice.intake
stack down kafka
sleep 1
stack up kafka
jobs 1101 1200 | produce sluice.intake
wait_for 60 "all jobs have arrived" arrived $((count + 200)) sluice.economy.normal
