"""10,000 jobs in batches of both providers, and a batch worker killed with -9 at each of the steps B1 to B8,
twice. The next one finds what the others left: every job ends once, no batch is made twice, the ledger is
the bill.

    KILLS=40 JOBS=28 tests/integration/test_batch_kills.py     so many runs of each step, so many jobs for each
"""
import collections
import os

import promises
from batch_fleet import BatchFleet, check_creates, config, mixed_jobs, options, wait_for_ends
from fleet import claim, same, say, wait_for

KILLS = int(os.environ.get("KILLS", 2))
STEPS = ("B01", "B02", "B02@2", "B03", "B04", "B05", "B06", "B07", "B08")  # B02 is hit before each of two outside steps
JOBS = int(os.environ.get("JOBS", -(-10000 // (KILLS * len(STEPS)))))  # for each kill


def kill_at(fleet, step, round_):
    """A batch worker that dies at its next step of that name. Returns the ids of the jobs that were there for it."""
    name, _, nth = step.partition("@")
    worker = fleet.batcher(f"{name}-{nth}-{round_}", failpoints=f"{name}=crash@{nth or 1}")
    ids = mixed_jobs(fleet, JOBS)
    wait_for(60, f"{step} kills it", lambda: not worker.is_running())
    del fleet.workers[worker.name]
    return ids


def check_kills(fleet):
    with open(fleet.failpoint_log) as log:
        fired = collections.Counter(line.split()[0] for line in log)
    same(sum(fired.values()), KILLS * len(STEPS), "kills that happened")
    say("killed:", ", ".join(f"{count} at {name}" for name, count in sorted(fired.items())))


def main():
    """One batch worker at a time, killed at the next step each; the last one finds all that the others left."""
    lines = max(15, JOBS // 8)  # so that a step's jobs are some batches of either provider
    with BatchFleet("test_batch_kills", simulator=options(), config=config(max_lines=lines)) as fleet:
        fleet.start("sync")
        claim(f"{KILLS * len(STEPS) * JOBS} jobs in batches of up to {lines}, a worker killed {KILLS} times at each of "
              + ", ".join(STEPS))
        ids = [id_ for round_ in range(KILLS) for step in STEPS for id_ in kill_at(fleet, step, round_)]
        check_kills(fleet)
        claim("the next one finds every batch again, and none is made twice")
        fleet.batcher("last")
        wait_for_ends(fleet, len(ids), 200 + len(ids) / 100)
        seen = check_creates(fleet)
        same(seen["batch_repeats"], 0, "creates for an intent that had one")
        same(seen["duplicates"], 0, "lines that ran twice")
        promises.check_all(fleet, ids, crashes=True)
        fleet.stop()


if __name__ == "__main__":
    main()
