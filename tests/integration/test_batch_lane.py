"""The batch lane: a thousand jobs and more in batches of both providers, under every oddity of theirs,
with a worker killed at each step. Every job ends once, no batch is made twice, the ledger is the bill.

    JOBS=2000 KILLS=2 tests/integration/test_batch_lane.py     more of it: KILLS runs for each step
"""
import os
import sys
import time

import promises
from fleet import TIERS, Fleet, Worker, claim, same, say, sure, wait_for

JOBS = int(os.environ.get("JOBS", 1000))
KILLS = int(os.environ.get("KILLS", 1))
KILL_JOBS = int(os.environ.get("KILL_JOBS", 60))
ONLY = os.environ.get("ONLY", "")
SPEED = 6000  # a provider's day passes in 15 seconds
STEPS = ("B01", "B02", "B02@2", "B03", "B04", "B05", "B06", "B07", "B08")

BATCH = {"max_lines": 100, "max_age": "500ms", "poll": "200ms", "retry": "1s", "adopt_wait": "4s",
         "adopt_looks": 3, "rescue_before": "1s"}
ODDITIES = {
    "batch_lost_upload": 0.1, "batch_file_late": 0.2, "batch_lost_create": 0.2, "batch_hidden": 0.3,
    "batch_flap": 0.3, "batch_invalid": 0.05, "batch_token_limit": 0.05, "batch_expire": 0.1,
    "batch_missing": 0.15, "batch_duplicate": 0.3, "batch_foreign": 0.3, "batch_empty_id": 0.5,
    "batch_cut": 0.3, "batch_zero": 0.1,
}


class Batcher(Worker):
    """One `sluice batch`."""

    def words(self):
        return ["batch"]

    def is_ready(self):
        sure(self.is_running(), f"batch worker {self.name} ended by itself")
        return self.logged("event=batch_worker_started") > 0


class BatchFleet(Fleet):
    def topics(self):
        return super().topics() + [f"{self.prefix}.{tier}.batch" for tier in TIERS]

    def batcher(self, name, **more):
        worker = self.workers.setdefault(name, Batcher(self, name))
        worker.start(wait=False, **more)
        wait_for(30, f"batch worker {name} is ready", worker.is_ready)
        return worker

    def write_config(self):
        os.makedirs(os.path.join(self.directory, "batch"), exist_ok=True)
        self.changes.setdefault("batch", {})["dir"] = os.path.join(self.directory, "batch")
        super().write_config()

    def states(self):
        return dict(self.sql("SELECT state, count(*) FROM batches GROUP BY state"))

    def show(self):
        for row in self.sql("SELECT provider, state, lines, creates, provider_status, reason, tries, looks FROM batches "
                            "WHERE state <> 'imported'"):
            say("   batch", *row)
        say("   jobs", self.sql("SELECT state, lane, reason, count(*) FROM jobs GROUP BY 1, 2, 3"))


def options(**more):
    return ["--batch-speed", str(SPEED), "--batch-run", "3000", "--batch-hide", "3000", "--batch-validate", "600",
            *[word for name, value in more.items() for word in ("--" + name.replace("_", "-"), value)]]


def config(**batch):
    return {"batch": {**BATCH, **batch},
            "worker": {"group_size": 50},
            "providers": {name: {"supports_batch": True} for name in ("openai", "anthropic")}}


def jobs(fleet, count, **more):
    """Most on the economy tier, which is OpenAI's; the frontier's are shared by both providers."""
    return fleet.produce([fleet.job(tier=TIERS[0 if i % 2 else 2], lane="batch", **more) for i in range(count)])


def all_alive(fleet):
    for worker in fleet.workers.values():
        sure(worker.is_running(), f"worker {worker.name} ended by itself")
    return True


def wait_for_ends(fleet, count, seconds):
    try:
        wait_for(seconds, f"{count} runs have ended", lambda: all_alive(fleet) and fleet.ended() >= count, 0.3)
        fleet.wait_for_ends(count, 1)
        wait_for(60, "every batch is closed",
                 lambda: not set(fleet.states()) - {"imported", "failed"}, 0.3)
    except BaseException:
        fleet.show()
        raise


def check_creates(fleet, excused=0):
    """What the provider made of each intent: one batch, but for those it failed by itself."""
    seen = fleet.control()
    made = {}
    for batch in seen["batches"]:
        if batch["status"] != "failed":
            key = batch["input_file_id"] or batch["first_custom_id"]
            made[key] = made.get(key, 0) + 1
    doubled = {key: count for key, count in made.items() if count > 1}
    same(doubled, {}, "submissions that made two batches")
    known = {row[0] for row in fleet.sql("SELECT provider_batch_id FROM batches WHERE provider_batch_id IS NOT NULL")}
    unknown = [batch["id"] for batch in seen["batches"] if batch["status"] != "failed" and batch["id"] not in known]
    same(unknown, [], "batches of the provider that we do not know")
    say(f"batches: {len(seen['batches'])} made by the providers, each of one intent; "
        f"{fleet.number('SELECT count(*) FROM batches')} of ours")
    return seen


def ledger_lanes(fleet):
    return dict(fleet.sql("SELECT a.mode, count(*) FROM ledger l JOIN attempts a USING (attempt_id) GROUP BY 1"))


def happy():
    with BatchFleet("test_batch_lane", simulator=options(), config=config()) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim(f"{JOBS} jobs in batches of both providers end once, at half price")
        began = time.monotonic()
        ids = jobs(fleet, JOBS)
        wait_for_ends(fleet, len(ids), 120)
        say(f"{JOBS} jobs in {time.monotonic() - began:.1f} s")
        check_creates(fleet)
        states, money = promises.check_all(fleet, ids)
        sure(int(states["DONE"]) > 0.9 * JOBS, f"most are done: {states}")
        modes = ledger_lanes(fleet)
        sure(int(modes["batch"]) >= JOBS, f"they went through batches: {modes}")
        providers = dict(fleet.sql("SELECT provider, count(*) FROM batches GROUP BY 1"))
        same(sorted(providers), ["anthropic", "openai"], "providers")
        fleet.stop()


PARTS = {"happy": happy}


def main():
    for name, part in PARTS.items():
        if not ONLY or name in ONLY.split(","):
            part()


if __name__ == "__main__":
    sys.exit(main())
