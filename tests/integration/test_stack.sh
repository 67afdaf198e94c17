# The stack itself: private, durable where it says so, and gone when it is stopped.
. "$(dirname "$0")/stack.sh"

stack_start --kafka none --simulator no

claim "Postgres is durable and asks for the password"
same "$(sql "SELECT current_setting('fsync') || current_setting('synchronous_commit')")" onon settings
if PGPASSWORD=wrong psql "${POSTGRES_URL/:*@/@}" -c 'SELECT 1' >/dev/null 2>&1; then
	fail "it let a wrong password in"
fi

claim "what was committed outlives a crash, on the same port"
sql "CREATE TABLE kept AS SELECT 1 AS n" 
port=$POSTGRES_PORT
stack down postgres
if sql "SELECT 1" >/dev/null 2>&1; then fail "it answers while it is down"; fi
stack up postgres
same "$POSTGRES_PORT" "$port" port
same "$(sql "SELECT n FROM kept")" 1 "the row"

claim "a second start in the same place is refused"
if "$SLUICE_SOURCE/scripts/stack" start --dir "$TEST_DIR/stack" --kafka none >/dev/null 2>&1; then
	fail "it started twice"
fi
same "$(sql "SELECT n FROM kept")" 1 "the row after the refusal"

claim "two stacks do not see each other, and a stack ends with the process it is for"
sleep 1000 &
owner=$!
other=$TEST_DIR/other
"$SLUICE_SOURCE/scripts/stack" start --dir "$other" --kafka none --simulator no --for $owner >/dev/null
pid=$(process_pid "$other/postgres")
kill $owner
process_gone "$pid" 20 || fail "it outlives its owner"

claim "stop ends what was started and leaves no data"
pid=$(process_pid "$TEST_DIR/stack/postgres")
stack stop
process_gone "$pid" 1 || fail "Postgres runs on"
[ ! -e "$TEST_DIR/stack/postgres" ] || fail "the data is still there"
