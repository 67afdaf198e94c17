"""Postgres crashes while hundreds of calls are open: the calls finish and wait on disk, no new one is
made, and when Postgres is back everything is settled; even if a worker died meanwhile."""
import contextlib
import os
import sys
import time

import promises
from fleet import TIERS, Fleet, claim, same, say, sure, wait_for

OPEN = 100
JOBS = 900


def open_calls(fleet):
    return sum(worker.calls_open() for worker in fleet.workers.values() if worker.is_running())


def spooled_files(fleet):
    folder = os.path.join(fleet.directory, "spool")
    return [name for name in os.listdir(folder) if name.endswith(".settle")] if os.path.isdir(folder) else []


def load(fleet, ids):
    ids += fleet.produce([fleet.job(tier=TIERS[i % 3]) for i in range(JOBS)])
    wait_for(60, f"{OPEN} calls are open", lambda: open_calls(fleet) >= OPEN, 0.05)
    return open_calls(fleet)


def take_postgres_away(fleet):
    """Until all calls that were open have ended; returns how many were made so far."""
    fleet.stack("down", "postgres")
    wait_for(30, "the open calls end", lambda: fleet.control()["in_flight"] == 0)
    wait_for(30, "the workers have heard of it", lambda: open_calls(fleet) == 0)
    wait_for(30, "what they brought is on disk", lambda: spooled_files(fleet))
    for worker in fleet.workers.values():
        wait_for(10, "it says that it is not ready", lambda: worker.get("/readyz")[0] == 503)
    return fleet.control()["requests"]


def processor_seconds(worker):
    with open(f"/proc/{worker.process.pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def sleeps(worker):
    """A loop that never sleeps would use most of a processor, however slow the machine."""
    before, started = processor_seconds(worker), time.monotonic()
    yield
    used, passed = processor_seconds(worker) - before, time.monotonic() - started
    say(f"a worker used {used:.2f} s of processor in {passed:.1f} s of outage")
    sure(used < 0.1 * passed, "it sleeps while there is nothing to do")


def check_silence(fleet, made, seconds):
    """Nothing may be called while Postgres is away: watched all the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        same(fleet.control()["requests"], made, "calls while Postgres is away")
        time.sleep(0.5)


def outage(fleet, ids, meanwhile):
    open_before = load(fleet, ids)
    made = take_postgres_away(fleet)
    say(f"{open_before} calls were open; {len(spooled_files(fleet))} files are spooled")
    meanwhile(made)
    fleet.stack("up", "postgres")
    fleet.wait_for_ends(len(ids), 120)
    wait_for(90, "the spool is empty", lambda: not spooled_files(fleet), 0.5)


def main():
    with Fleet("test_postgres_away", simulator=["--latency", "uniform:1500,2500"]) as fleet:
        ids = []
        one, two = fleet.start("one", "two")

        claim("no call is made while Postgres is away, and none that was made is lost")
        def watch(made):
            with sleeps(one):
                check_silence(fleet, made, 12)
        outage(fleet, ids, watch)
        sure(one.is_running() and two.is_running(), "both workers outlived it")
        same(fleet.number("SELECT count(*) FROM attempts WHERE state = 'unknown'"), 0, "calls that were lost")
        same(fleet.number("SELECT coalesce(sum(count), 0) FROM repairs WHERE kind = 'orphan'"), 0,
             "jobs taken from a living worker")

        claim("a worker that dies meanwhile leaves its finished calls to the next")
        def die(made):
            one.kill()
            one.start(wait=False)
            check_silence(fleet, made, 2)
        outage(fleet, ids, die)
        sure(one.logged("event=spool_replayed") + two.logged("event=spool_replayed") > 0,
             "the dead worker's spool was replayed")
        lost = fleet.number("SELECT count(*) FROM attempts WHERE state = 'unknown'")
        say(f"{lost} calls of the dead worker were lost")
        same(lost, 0, "finished calls that were lost with their worker")

        claim("each job ended once, and ledger = bill")
        promises.check_all(fleet, ids, crashes=True)
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
