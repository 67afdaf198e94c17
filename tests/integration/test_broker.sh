# The embedded broker: what tests rely on, and that it never loses messages in silence.
. "$(dirname "$0")/stack.sh"

messages() # COUNT: of 1000 bytes
{
	head -c $(($1 * 750)) /dev/urandom | base64 -w 1000
}

committed() # TOPIC PARTITION GROUP: reads all of it as that group and commits
{
	kcat -q -b "$KAFKA_BROKERS" -G "$3" -e -X session.timeout.ms=3000 \
		-X heartbeat.interval.ms=500 -X auto.offset.reset=earliest "$1" 2>/dev/null | wc -l
}

stack_start --postgres no --simulator no --group workers --may-drop spare \
	--topic jobs:2 --topic spare:1 --partitions 3

claim "topics have the partitions that were asked for"
same "$(kcat -L -b "$KAFKA_BROKERS" -J | jq -r '[.topics[] | "\(.topic):\(.partitions | length)"] | sort | join(" ")')" \
	"jobs:2 spare:1" "topics"

claim "what was produced is there"
seq 1000 | produce jobs
same "$(consume jobs | sort -n | tail -1)" 1000 "the last message"

claim "a broker that is down answers nobody, and comes back with its log"
stack down kafka
if kcat -L -b "$KAFKA_BROKERS" -m 1 >/dev/null 2>&1; then fail "it answered while down"; fi
stack up kafka
same "$(consume jobs | wc -l)" 1000 "messages after down and up"

claim "an injected failure reaches the producer and is over afterwards"
stack tell fail 0 29 1 # TOPIC_AUTHORIZATION_FAILED, which no producer tries again
if echo refused | produce jobs 2>/dev/null; then fail "the failure did not reach the producer"; fi
echo taken | produce jobs
same "$(consume jobs | wc -l)" 1001 "messages after the failure"

claim "a topic that may drop does"
messages 8000 | produce spare
wait_for 10 "the oldest are dropped" \
	bash -c "[ \$(kcat -Q -b $KAFKA_BROKERS -t spare:0:-2 | sed 's/.* //') -gt 0 ]"

claim "what the group has consumed may go"
messages 4000 | produce jobs -p 0
same "$(committed jobs 0 workers)" 5001 "messages of the group"
stack tell look
messages 4000 | produce jobs -p 0
stack tell look

claim "dropping what was not consumed ends it with a loud error"
broker_pid=$KAFKA_PID
messages 6000 | produce jobs -p 0 || true
process_gone "$broker_pid" 10 || fail "it goes on after a loss"
grep -q "LOST MESSAGES of jobs\[0\]" "$TEST_DIR/stack/kafka.log" || fail "nothing in its log"
expected_stop=70

claim "and with exit code 70"
mkfifo "$TEST_DIR/input"
"$SLUICE_BUILD/tests/broker/broker" --topic lost:1 <>"$TEST_DIR/input" >"$TEST_DIR/broker.log" 2>&1 &
broker=$!
KAFKA_BROKERS=$(log_await "$TEST_DIR/broker.log" listening 1 10 $broker | cut -d' ' -f2)
messages 6000 | produce lost || true
status=0
wait $broker || status=$?
same $status 70 "exit code"
