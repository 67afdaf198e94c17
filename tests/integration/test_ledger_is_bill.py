"""10,000 jobs through every kind of fault a provider has: each ends once, and the ledger is the bill."""
import os
import sys

import promises
from fleet import KAFKA, TIERS, Fleet, claim, same, say, sure

JOBS = int(os.environ.get("JOBS", 10000 if KAFKA == "embedded" else 3000))
RATE = min(10000 / JOBS, 3)  # rare faults still happen when there are fewer jobs

# Of each call; about one in four is struck.
FAULTS = {
    "429": 0.02, "slow_down": 0.004, "429_too_large": 0.002, "insufficient_quota": 0.0006,
    "400": 0.001, "context": 0.002, "404": 0.002, "409": 0.002, "413": 0.002,
    "500": 0.015, "502": 0.01, "503": 0.01, "504": 0.003, "529": 0.01,
    "reset": 0.01, "hang_early": 0.001,
    "reset_accepted": 0.01, "reset_headers": 0.005, "reset_body": 0.005, "hang": 0.002,
    "hang_body": 0.001, "truncated": 0.004, "wrong_length": 0.003, "chunk_error": 0.003,
    "drip_slow": 0.0005,
    "error_200": 0.003, "garbage": 0.004, "html_200": 0.003, "empty_body": 0.003,
    "nul": 0.003, "surrogate": 0.003, "huge_number": 0.003, "long_integer": 0.003, "deep": 0.003,
    "no_usage": 0.005, "negative_usage": 0.003,
    "refusal": 0.005, "empty": 0.003, "length": 0.005, "content_filter": 0.003,
    "not_json": 0.02, "violation": 0.02, "low_confidence": 0.02,
}
# Timeouts short enough that a hanging call costs the test a second.
SHORT = {"first_byte_timeout": "1s", "idle_timeout": "1s", "total_timeout": "5s"}


def main():
    faults = ",".join(f"{name}={rate * RATE if rate < 0.005 else rate}"
                      for name, rate in FAULTS.items())
    options = ["--fault", faults, "--retry-after", "0.2", "--latency", "uniform:1,20"]
    config = {"providers": {"openai": SHORT, "anthropic": SHORT}}
    with Fleet("test_ledger_is_bill", simulator=options, config=config) as fleet:
        fleet.start("one", "two")

        claim(f"{JOBS} jobs under {len(FAULTS)} kinds of fault all end")
        ids = fleet.produce([fleet.job(tier=TIERS[i % 10 // 8 + i % 10 // 9]) for i in range(JOBS)])
        fleet.wait_for_ends(len(ids), 240)
        seen = fleet.control()
        say(f"calls: {seen['requests']} made, {seen['accepted']} accepted, {seen['faulted']} struck")

        claim("every kind of fault struck")
        struck = seen["faults"]
        same([name for name in FAULTS if not struck.get(name)], [], "faults that never struck")
        say(", ".join(f"{count} {name}" for name, count in sorted(struck.items())))

        claim("no call was made twice")
        same(seen["duplicates"], 0, "accepted calls with a known attempt id")

        claim("every job has one outcome, and ledger = bill")
        silent = sum(struck[name] for name in promises.SILENT)
        states, money = promises.check_all(fleet, ids, silent=silent)
        sure(int(states["DONE"]) > 0.9 * JOBS, f"most jobs are done: {states}")
        sure(money["charged"] > 0.9 * JOBS, "most calls are charged")
        same(sum(worker.is_running() for worker in fleet.workers.values()), 2, "workers that live")
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
