"""A small business unit beside a big one, while the provider's limit is the bottleneck: how long its jobs wait for
their call, against how long they wait alone. Keyed as our producers do it (partitions of its own), and with
everything in one partition, as a foreign producer may do it.

JOBS=500 RUNS=5 BIG=20000 is the full version (with SLUICE_TEST_KAFKA=real: the embedded broker holds 5 MiB a
partition), which holds the small unit to twice its wait alone, and in one partition to the reading of what lies
before it besides; the short one allows a second more."""
import json
import os
import random
import subprocess
import sys
import time

from fleet import Fleet, claim, same, say, sure, wait_for

JOBS = int(os.environ.get("JOBS", 80))
RUNS = int(os.environ.get("RUNS", 1))
BIG = int(os.environ.get("BIG", 2500))
SLACK = 0 if JOBS >= 500 else 1.0
READ_AHEAD = 1000  # jobs a second, at least, that are claimed to get to what lies behind them
RPM, PER_SECOND, WORKERS = 3000, 5, 2
MODEL = "gpt-4o-mini"
CONFIG = {
    "worker": {"park_rows_per_unit": BIG + 1000, "park_rows_total": 10 * BIG},
    "tiers": [{"name": "economy", "candidates": [{"provider": "openai", "model": MODEL}]}],
    "limits": [{"provider": "openai", "model": MODEL, "requests_per_minute": RPM}],
}
TOPIC = "sluice.economy.normal"


class Producer:
    """One kcat that sends a line as soon as it has it."""

    def __init__(self, fleet, partition):
        self.kcat = subprocess.Popen(
            ["kcat", "-P", "-q", "-b", fleet.brokers, "-t", TOPIC, "-p", str(partition), "-K", "\t",
             "-X", "linger.ms=0", "-X", "acks=all"], stdin=subprocess.PIPE, text=True)

    def send(self, job):
        self.kcat.stdin.write(job["job_id"] + "\t" + json.dumps(job) + "\n")
        self.kcat.stdin.flush()
        return time.time()

    def close(self):
        self.kcat.stdin.close()
        same(self.kcat.wait(30), 0, "kcat")


def send_small(fleet, partition, unit):
    """Random arrivals; when each was sent, by id."""
    producer, sent = Producer(fleet, partition), {}
    for _ in range(JOBS):
        _, job = fleet.job(business_unit=unit)
        sent[job["job_id"]] = producer.send(job)
        time.sleep(random.expovariate(PER_SECOND))
    producer.close()
    return sent


def send_big(fleet, partitions, unit):
    """All at once."""
    producers = [Producer(fleet, partition) for partition in partitions]
    for i in range(BIG):
        producers[i % len(producers)].send(fleet.job(business_unit=unit)[1])
    for producer in producers:
        producer.close()


def done(fleet, unit):
    return fleet.number(f"SELECT count(*) FROM jobs WHERE business_unit = '{unit}' AND state = 'DONE'")


def waits(fleet, sent, unit):
    """From its message to its call, in seconds, ordered."""
    wait_for(120, f"all of {unit} are done", lambda: done(fleet, unit) == JOBS)
    began = dict(fleet.sql("SELECT job_id, extract(epoch FROM min(sent_at)) FROM attempts JOIN jobs USING (job_id) "
                           f"WHERE business_unit = '{unit}' GROUP BY 1"))
    return sorted(float(began[id]) - at for id, at in sent.items())


def p99(ordered):
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def tell(what, ordered):
    say(f"{what}: median {ordered[len(ordered) // 2] * 1000:.0f} ms, p99 {p99(ordered) * 1000:.0f} ms "
        f"of {len(ordered)} jobs")


def beside_a_big_one(fleet, run, name, small_partition, big_partitions):
    small, big = f"small-{name}-{run}", f"big-{name}-{run}"
    send_big(fleet, big_partitions, big)
    wait_for(60, "the big one runs", lambda: done(fleet, big) > 20)
    found = waits(fleet, send_small(fleet, small_partition, small), small)
    left = BIG - done(fleet, big)
    tell(f"{name}, with {left} of the big unit's {BIG} jobs still waiting in the end", found)
    sure(left > BIG / 20, "the big unit had jobs waiting all the time")
    wait_for(BIG / RPM * 60 * 3 + 60, "the big one is done", lambda: done(fleet, big) == BIG, 0.5)
    return found


def a_run(fleet, run):
    claim(f"run {run + 1}: {JOBS} jobs of a small unit alone, {PER_SECOND} a second at random")
    alone = waits(fleet, send_small(fleet, 0, f"alone-{run}"), f"alone-{run}")
    tell("alone", alone)
    for name, small, big in (("keyed", 0, (2, 3)), ("one-partition", 1, (1,))):
        # In one partition the big one's jobs lie before the small one's: they are read ahead first.
        bound = 2 * p99(alone) + (SLACK if name == "keyed" else max(SLACK, BIG / READ_AHEAD))
        claim(f"{name}: p99 of at most {bound * 1000:.0f} ms beside {BIG} jobs of a big unit, worth "
              f"{BIG / RPM * 60:.0f} s of the provider's limit")
        found = beside_a_big_one(fleet, run, name, small, big)
        say(f"{name}: {p99(found) / p99(alone):.2f} x the p99 alone")
        sure(p99(found) <= bound, f"{name}: p99 {p99(found):.3f} s, allowed {bound:.3f} s")


def main():
    simulator = ["--limit", f"rpm={RPM},model={MODEL}", "--latency", "uniform:20,200"]
    with Fleet("test_fairness", simulator=simulator, config=CONFIG, partitions=4) as fleet:
        fleet.start(*(f"worker{i}" for i in range(WORKERS)))
        claim("a start has used up what the provider allows at once")
        send_big(fleet, (0, 1, 2, 3), "warm")
        wait_for(BIG / RPM * 60 * 3 + 90, "the start is over", lambda: done(fleet, "warm") == BIG, 0.5)
        for run in range(RUNS):
            a_run(fleet, run)
        say(f"{fleet.number('SELECT count(*) FROM jobs WHERE epoch > 1')} jobs were read ahead and pulled")
        fleet.stop()
        claim("and all promises are kept")
        fleet.sluice("audit")


if __name__ == "__main__":
    sys.exit(main())
