# An envelope that comes again together with the follow-up of its job: neither is lost. (A worker once
# took the follow-up for a repetition of the envelope beside it, and the job waited for ever.)
. "$(dirname "$0")/stack.sh"

sed 's/^kafka:/kafka:\n  options: {session.timeout.ms: 6000}/' "$SLUICE_SOURCE/schemas/default-config.yaml" \
	>"$TEST_DIR/sluice.yaml"
export SLUICE_CONFIG=$TEST_DIR/sluice.yaml SLUICE_SPOOL_DIR=$TEST_DIR/spool

produce()
{
	kcat -b "$KAFKA_BROKERS" -P -t sluice.economy.normal -p 0
}

worker()
{
	run_program worker worker_started -- "$SLUICE" worker --listen ""
}

job=0190b000-0000-7000-8000-000000000001
envelope='{"version":1,"job_id":"'$job'","business_unit":"claims","prompt":{"messages":[{"role":"user","content":"Say one"}]}}'

stack_start --kafka embedded
"$SLUICE" migrate >/dev/null
worker
echo "$envelope" | produce
wait_for 60 "the first run is done" sql_is "SELECT state FROM sluice.jobs WHERE job_id = '$job'" DONE
stop_program worker

claim "a follow-up read together with its own envelope is claimed"
"$SLUICE" jobs retry "$job" >/dev/null
sql "DELETE FROM sluice.outbox" >/dev/null
{
	echo "$envelope"
	echo '{"version":1,"job_id":"'$job'","run":1,"hop":0}'
	echo "$envelope"
	echo '{"version":1,"job_id":"'$job'","run":1,"hop":0}'
} | produce
worker
wait_for 60 "the second run is done" sql_is "SELECT state, run FROM sluice.jobs WHERE job_id = '$job'" "DONE|1"
stop_program worker
same "$(sql "SELECT count(*) FROM sluice.results WHERE job_id = '$job'")" 2 "outcomes of two runs"
same "$(sql "SELECT count(*) FROM sluice.attempts WHERE job_id = '$job'")" 2 "calls of two runs"
same "$(sql "SELECT count(*) FROM sluice.rejects")" 0 "rejects"
same "$(jq -r 'select(has("delivered") | not) | .id' "$SIMULATOR_BILL" | sort -u | wc -l)" 2 "calls on the provider's bill"
