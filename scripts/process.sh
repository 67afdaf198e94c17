# Long-running programs for the scripts: started with a pid file, a log and a ready line, ended by
# that pid file alone. Sourced.
#
#	process_start DIR/broker 'listening' 20 -- build/tests/broker/broker --topic jobs:4
#	process_line DIR/broker 'listening'    -> "listening 127.0.0.1:4711"
#	process_is_running DIR/broker
#	process_stop DIR/broker 10
#
# A pid file holds the pid and the start time of its process, so that a number used again by
# another process is never signalled.

process_start_time()
{
	# The 22nd field of stat; the name, which may hold spaces, is cut off first. A zombie has none.
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

process_pid()
{
	local pid started
	read -r pid started 2>/dev/null <"$1.pid" || return 1
	[ "$(process_start_time "$pid")" = "$started" ] && echo "$pid"
}

process_is_running()
{
	process_pid "$1" >/dev/null
}

# Files of the caller, such as the lock it runs under, are not handed down.
close_files_of_caller()
{
	local fd
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
	done
}

# process_start NAME READY SECONDS [--input FIFO] -- COMMAND...: waits for a line that holds READY.
process_start()
{
	local name=$1 ready=$2 seconds=$3 input=/dev/null pid
	shift 3
	if [ "$1" = --input ]; then
		input=$2
		shift 2
	fi
	shift
	: >"$name.log"
	(
		close_files_of_caller
		exec setsid "$@" <>"$input" >>"$name.log" 2>&1
	) &
	pid=$!
	disown "$pid"
	echo "$pid $(process_start_time "$pid")" >"$name.pid"
	log_await "$name.log" "$ready" 1 "$seconds" "$pid" >/dev/null && return
	process_stop "$name" 5
	echo "${name##*/} did not become ready; the end of $name.log:" >&2
	tail -n 20 "$name.log" >&2
	return 1
}

# Waits until LOG holds its NUMBERth line that contains TEXT and prints that; false after SECONDS,
# or when process PID has ended. tail wakes up when the log grows.
log_await() # LOG TEXT NUMBER SECONDS PID
{
	local log=$1 text=$2 number=$3 deadline=$((SECONDS + $4)) pid=$5 lines tail_pid line found=1
	exec {lines}< <(exec tail -n +1 -f -s 0.1 --pid="$pid" "$log" 2>/dev/null)
	tail_pid=$!
	while read -r -t "$((deadline - SECONDS + 1))" -u "$lines" line && [ $SECONDS -le $deadline ]; do
		[[ $line == *$text* ]] || continue
		number=$((number - 1))
		[ $number = 0 ] || continue
		echo "$line"
		found=0
		break
	done
	kill "$tail_pid" 2>/dev/null || true
	exec {lines}<&-
	return $found
}

process_line()
{
	grep -m1 -- "$2" "$1.log"
}

# Waits until a process has ended, reaped or not; false when it has not within SECONDS.
process_gone() # PID SECONDS
{
	python3 - "$1" "$2" <<'PYTHON'
import os, select, sys
try:
    process = os.pidfd_open(int(sys.argv[1]))
except ProcessLookupError:
    sys.exit(0)
sys.exit(0 if select.select([process], [], [], float(sys.argv[2]))[0] else 1)
PYTHON
}

process_stop()
{
	local name=$1 seconds=$2 pid
	if pid=$(process_pid "$name"); then
		kill "$pid" 2>/dev/null || true
		process_gone "$pid" "$seconds" || process_kill "$name"
	fi
	rm -f "$name.pid"
}

process_kill()
{
	local pid
	if pid=$(process_pid "$1"); then
		kill -9 "$pid" 2>/dev/null || true
		process_gone "$pid" 10
	fi
	rm -f "$1.pid"
}

# A free port of 127.0.0.1 outside the range the kernel hands out by itself, so that a server which
# is away for a while finds it free again.
free_port()
{
	python3 - <<'PYTHON'
import random, socket
while True:
    port = random.randrange(12000, 32000)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
}
