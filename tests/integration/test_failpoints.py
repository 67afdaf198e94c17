"""A worker dies at each step of a job's life, and another goes on: nothing is lost, nothing is said
twice, and the ledger is the bill. Needs a build with -DFAILPOINTS=ON."""
import sys
import time

import promises
from fleet import TIERS, Fleet, claim, same, say, sure

# Which time the step is passed is the one to die at: some way into the work.
STEPS = {
    "K01": 7, "K02": 7, "K03": 2, "K04": 2, "K05": 2, "K06": 2, "K07": 20, "K09": 15, "K11": 2,
    "K12": 2, "K13": 2, "K14": 9, "K15": 9, "K16": 1,
}
FEED = 40
CONFIG = {"kafka": {"options": {"session.timeout.ms": 3000}}}


def feed_until_it_dies(fleet, victim, ids, point):
    """Jobs for both workers, from the moment the victim has partitions."""
    deadline = time.monotonic() + 40
    fed = 0.0
    while victim.is_running():
        sure(time.monotonic() < deadline, f"{point} fires")
        if victim.has_partitions() and time.monotonic() > fed + 1:
            ids += fleet.produce([fleet.job(tier=TIERS[i % 3]) for i in range(FEED)])
            fed = time.monotonic()
        time.sleep(0.05)
    same(victim.process.returncode, -9, f"how the worker ended at {point}")


def fired(fleet):
    with open(fleet.failpoint_log) as log:
        return [line.split() for line in log]


def main():
    with Fleet("test_failpoints", simulator=["--latency", "uniform:50,150"], config=CONFIG) as fleet:
        fleet.start("judge")
        (victim,) = fleet.start("victim")
        fleet.workers["victim"].kill()
        ids = []
        for point, nth in STEPS.items():
            claim(f"death at {point}, the time {nth}")
            victim.start(f"{point}=crash@{nth}", wait=False)
            feed_until_it_dies(fleet, victim, ids, point)
        lines = fired(fleet)
        say(f"fired: {' '.join(' '.join(line) for line in lines)}")
        same(len(lines), len(STEPS), "failpoints that fired")

        claim("all jobs end, those of the dead included")
        victim.start()
        fleet.wait_for_ends(len(ids), 90)
        promises.check_all(fleet, ids, crashes=True)
        say("repairs:", fleet.sql("SELECT kind, sum(count) FROM repairs GROUP BY 1 ORDER BY 1"))
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
