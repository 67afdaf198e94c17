"""kill -9 of a worker, twenty times, each while at least fifty of its calls are open: no job is lost,
no outcome doubled, and the ledger is the bill."""
import os
import sys
import time

import promises
from fleet import Fleet, TIERS, claim, same, say, sure

KILLS = int(os.environ.get("KILLS", 20))
OPEN = 50       # calls open in the victim when it is killed
MARKS = 15      # kills that must have left an unknown or a repair
FEED = 180      # jobs at once, half of them for the victim

CONFIG = {"kafka": {"options": {"session.timeout.ms": 3000}}}


class Load:
    """Gives the victim enough to do, and the judge not more than it can: so that the orphans of the
    dead are finished by somebody else and not killed again and again."""

    def __init__(self, fleet, victim):
        self.fleet, self.victim, self.ids, self.fed = fleet, victim, [], 0

    def feed(self):
        """Again after a while: most of it is the victim's only when Kafka has given it partitions."""
        if not self.victim.has_partitions() or time.monotonic() < self.fed + 1:
            return
        self.ids += self.fleet.produce(
            [self.fleet.job(tier=TIERS[i % 3], lane="express" if i % 4 == 0 else "normal")
             for i in range(FEED)])
        self.fed = time.monotonic()


def worker_ids(fleet, worker):
    return [row[0] for row in fleet.sql(
        f"SELECT worker_id FROM workers WHERE pid = {worker.process.pid}")]


def kill_under_load(fleet, victim, load):
    """Returns the id of the worker that died, and how many calls it had open."""
    deadline = time.monotonic() + 60
    while (open_calls := victim.calls_open()) < OPEN:
        sure(time.monotonic() < deadline, f"{OPEN} calls open in the victim; it has {open_calls}")
        load.feed()
        time.sleep(0.2)
    (worker_id,) = worker_ids(fleet, victim)
    while (open_calls := victim.calls_open()) < OPEN:
        time.sleep(0.02)
    victim.kill()
    return worker_id, open_calls


def marks_of(fleet, dead):
    """How many attempts each of the dead left open, which the repair wrote off."""
    lost = dict(fleet.sql("SELECT worker_id, count(*) FROM attempts WHERE reply = 'lost' "
                          "AND verdict = 'unknown' GROUP BY 1"))
    return [int(lost.get(worker_id, 0)) for worker_id in dead]


def main():
    with Fleet("test_killer", simulator=["--latency", "uniform:1000,2000"], config=CONFIG) as fleet:
        judge, victim = fleet.start("judge", "victim")
        load = Load(fleet, victim)

        claim(f"{KILLS} kills, each with at least {OPEN} calls open in the victim")
        dead, opened = [], []
        for _ in range(KILLS):
            worker_id, calls = kill_under_load(fleet, victim, load)
            dead.append(worker_id)
            opened.append(calls)
            victim.start(wait=False)
        same(len(set(dead)), KILLS, "workers killed")
        say(f"killed with {min(opened)} to {max(opened)} calls open, {sum(opened)} in all")

        claim("all jobs end, the orphans of the dead included")
        fleet.control(latency="fixed:20")
        fleet.wait_for_ends(len(load.ids), 120)

        claim("the kills left their marks")
        marks = marks_of(fleet, dead)
        say(f"calls lost per kill: {marks}")
        sure(sum(mark > 0 for mark in marks) >= MARKS, f"{MARKS} of {KILLS} kills left an unknown")
        crashes = fleet.sql("SELECT crash_count, count(*) FROM jobs GROUP BY 1 ORDER BY 1")
        say("jobs by deaths of their worker:", ", ".join(f"{n} × {c}" for c, n in crashes))
        say("repairs:", fleet.sql("SELECT kind, sum(count) FROM repairs GROUP BY 1 ORDER BY 1"))

        claim("no job was lost, no outcome doubled, ledger = bill")
        promises.check_all(fleet, load.ids, crashes=True)
        sure(judge.is_running(), "the judge lives")
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
