# What integration tests share: a stack in a directory of its own, waiting with a deadline, and
# cleaning up whatever happens. Sourced first:
#
#	. "$(dirname "$0")/stack.sh"
#	stack_start --group sluice --topic sluice.economy.normal:4
#	run_program worker listening -- "$SLUICE" sync --config "$TEST_DIR/sluice.yaml"
#	claim "every job ends once"
#	wait_for 30 "ten jobs are done" sql_is "SELECT count(*) FROM jobs WHERE state = 'DONE'" 10
#	same "$(sql "SELECT count(*) FROM ledger")" 10 "ledger rows"
#
# KAFKA_BROKERS, POSTGRES_URL and SIMULATOR_URL are set by stack_start. The script's exit ends all
# that it started; after a failure the ends of the logs are shown.
set -euo pipefail

SLUICE_SOURCE=${SLUICE_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
SLUICE_BUILD=${SLUICE_BUILD:-$SLUICE_SOURCE/build}
SLUICE=$SLUICE_BUILD/sluice
export SLUICE_SOURCE SLUICE_BUILD SLUICE
. "$SLUICE_SOURCE/scripts/process.sh"

TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/sluice-$(basename "$0" .sh).XXXXXX")
chmod 755 "$TEST_DIR"
programs=()
expected_stop=0

# What the test is about to show; printed so that a failure says which claim fell.
claim()
{
	echo "--- $*"
}

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# same ACTUAL EXPECTED WHAT
same()
{
	[ "$1" = "$2" ] || fail "$3: expected \"$2\", got \"$1\""
}

stack_start()
{
	"$SLUICE_SOURCE/scripts/stack" start --dir "$TEST_DIR/stack" --for $$ "$@" || fail "no stack"
	. "$TEST_DIR/stack/env"
}

# stack down|up kafka|postgres|simulator, stack tell COMMAND...
stack()
{
	"$SLUICE_SOURCE/scripts/stack" --dir "$TEST_DIR/stack" "$@" || fail "stack $*"
	[ ! -e "$TEST_DIR/stack/env" ] || . "$TEST_DIR/stack/env"
}

# run_program NAME READY -- COMMAND...: started, and ready when its log has a line that holds READY.
run_program()
{
	local name=$1 ready=$2
	shift 2
	programs+=("$name")
	process_start "$TEST_DIR/$name" "$ready" 30 "$@" || fail "$name did not start"
}

# stop_program NAME | kill_program NAME: SIGTERM, or kill -9 as a crash would.
stop_program()
{
	process_stop "$TEST_DIR/$1" 60
}

kill_program()
{
	process_kill "$TEST_DIR/$1"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for()
{
	local seconds=$1 what=$2 deadline
	deadline=$(($(date +%s%N) + seconds * 1000000000))
	shift 2
	until "$@"; do
		[ "$(date +%s%N)" -lt $deadline ] || fail "not within $seconds s: $what"
		sleep 0.05
	done
}

# One value, or rows separated by |, from the stack's database.
sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$POSTGRES_URL" -c "$1"
}

sql_is() # QUERY VALUE
{
	[ "$(sql "$1" 2>/dev/null)" = "$2" ]
}

# produce TOPIC [KCAT OPTIONS]: lines of standard input become messages, all acknowledged.
produce()
{
	local topic=$1
	shift
	kcat -P -q -b "$KAFKA_BROKERS" -t "$topic" -X acks=all "$@"
}

# consume TOPIC [KCAT OPTIONS]: all its messages, a line each.
consume()
{
	local topic=$1
	shift
	kcat -C -e -q -b "$KAFKA_BROKERS" -t "$topic" -o beginning "$@"
}

# shellcheck disable=SC2317  # called by the trap
clean_up()
{
	local status=$? name log
	trap - EXIT
	if [ $status != 0 ]; then
		for log in "$TEST_DIR"/*.log "$TEST_DIR"/stack/*.log; do
			[ -s "$log" ] || continue
			echo "=== the end of ${log#"$TEST_DIR"/}" >&2
			tail -n 30 "$log" >&2
		done
	fi
	for name in ${programs[@]+"${programs[@]}"}; do
		process_stop "$TEST_DIR/$name" 10
	done
	# A pass on messages that the embedded broker dropped is none.
	if [ $status = 0 ] && [ -p "$TEST_DIR/stack/kafka.control" ]; then
		"$SLUICE_SOURCE/scripts/stack" tell look --dir "$TEST_DIR/stack" 2>/dev/null || true
	fi
	"$SLUICE_SOURCE/scripts/stack" stop --dir "$TEST_DIR/stack" || [ $? = "$expected_stop" ] ||
		status=1
	[ "${KEEP:-}" ] && echo "kept: $TEST_DIR" >&2 || rm -rf "$TEST_DIR"
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
