"""The batch lane: a thousand jobs and more in batches of both providers, under every oddity of theirs,
with a worker killed at each step. Every job ends once, no batch is made twice, the ledger is the bill.

    JOBS=2000 KILLS=2 tests/integration/test_batch_lane.py     more of it: KILLS runs for each step
"""
import json
import os
import sys
import time
import urllib.request

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


def odd():
    count = JOBS // 2
    faults = ",".join(f"{name}@batch={rate}" for name, rate in ODDITIES.items())
    with BatchFleet("test_batch_odd", simulator=options(fault=faults), config=config(max_lines=20)) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim(f"{count} jobs under {len(ODDITIES)} oddities of batches all end")
        ids = jobs(fleet, count)
        wait_for_ends(fleet, len(ids), 200)
        seen = check_creates(fleet)
        say(", ".join(f"{number} {name}" for name, number in sorted(seen["faults"].items())))
        states, _ = promises.check_all(fleet, ids)
        sure(int(states["DONE"]) > 0.9 * count, f"most are done: {states}")
        same(seen["duplicates"], 0, "lines that ran twice")
        fleet.stop()


def kills():
    """One batch worker at a time, killed at the next step each; the last one finds all that the others left."""
    with BatchFleet("test_batch_kills", simulator=options(), config=config(max_lines=15)) as fleet:
        fleet.start("sync")
        ids = []
        for round_ in range(KILLS):
            for step in STEPS:
                claim(f"killed at {step}, round {round_ + 1}")
                name, _, nth = step.partition("@")
                worker = fleet.batcher(f"{name}-{nth}-{round_}", failpoints=f"{name}=crash@{nth or 1}")
                ids += jobs(fleet, KILL_JOBS)
                wait_for(60, f"{step} kills it", lambda: not worker.is_running())
                del fleet.workers[worker.name]
        with open(fleet.failpoint_log) as fired:
            same(len(fired.readlines()), KILLS * len(STEPS), "kills that happened")
        claim("the next one finds every batch again, and none is made twice")
        fleet.batcher("last")
        wait_for_ends(fleet, len(ids), 200)
        seen = check_creates(fleet)
        same(seen["batch_repeats"], 0, "creates for an intent that had one")
        same(seen["duplicates"], 0, "lines that ran twice")
        promises.check_all(fleet, ids, crashes=True)
        fleet.stop()


def in_seconds(seconds):
    return {"routing": {"deadline": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}}


def rescues():
    """Batches that take 5 to 10 seconds, jobs that cannot wait for all of that."""
    with BatchFleet("test_batch_rescue", simulator=options(batch_run="60000"),
                    config=config(rescue_before="6s")) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim("near their deadline jobs leave the batch, end in the sync lane, and late lines are only charged")
        ids = jobs(fleet, 60, **in_seconds(13))
        wait_for_ends(fleet, len(ids), 60)
        late = fleet.number("SELECT count(*) FROM ledger WHERE lane = 'batch' AND purpose = 'late'")
        rescued = fleet.number("SELECT sum(rescued) FROM batches")
        say(f"{rescued} rescued, {late} lines of them had run and are waste")
        sure(rescued > 30, "most were rescued")
        sure(late > 0, "some had run")
        same(fleet.number("SELECT count(*) FROM results WHERE outcome <> 'DONE'"), 0, "jobs that are not done")

        claim("until a sync worker claims it, a rescued job's line still wins")
        fleet.workers.pop("sync").term()
        ids += jobs(fleet, 60, **in_seconds(16))
        wait_for(40, "the batches have ended", lambda: not set(fleet.states()) - {"imported", "failed"}
                 and fleet.number("SELECT count(*) FROM jobs WHERE state IN ('BATCHED', 'PARKED', 'CLAIMED')") == 0, 0.3)
        won = fleet.number("SELECT count(*) FROM jobs j JOIN ledger l USING (job_id) WHERE j.hop = 1 AND j.state = 'DONE' "
                           "AND l.lane = 'batch' AND l.purpose = 'accepted'")
        # How many win hangs on how fast the machine is; what must hold whoever wins is checked below.
        say(f"{won} rescued jobs were won by their line")
        fleet.start("late")
        wait_for_ends(fleet, len(ids), 60)
        same(fleet.number("SELECT count(*) FROM (SELECT FROM ledger WHERE purpose = 'accepted' GROUP BY job_id "
                          "HAVING count(*) > 1) d"), 0, "jobs that were accepted twice")
        check_creates(fleet)
        promises.check_all(fleet, ids)
        fleet.stop()


def strangers_batch(fleet, count):
    """Somebody else with the same key submits as many lines as we did."""
    body = {"requests": [{"custom_id": f"stranger-{i}", "params": {
        "model": "claude-opus-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}} for i in range(count)]}
    request = urllib.request.Request(fleet.simulator_url + "/v1/messages/batches", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "x-api-key": "test"})
    try:
        urllib.request.urlopen(request, timeout=5).read()
    except OSError:
        pass  # its reply is lost like all others


def held():
    changes = config(max_lines=20, adopt_wait="9s", adopt_looks=3)
    changes["tiers"] = [{"name": "frontier", "candidates": [{"provider": "anthropic", "model": "claude-opus-5"}]}]
    faults = options(fault="batch_lost_create@batch=1,batch_hidden@batch=1", batch_hide="6000")
    with BatchFleet("test_batch_held", simulator=faults, config=changes) as fleet:
        fleet.batcher("one")
        claim("two batches may be ours: it is held rather than paid twice")
        ids = fleet.produce([fleet.job(tier="frontier", lane="batch") for _ in range(10)])
        wait_for(30, "a create is of unknown fate", lambda: fleet.number(
            "SELECT count(*) FROM batches WHERE create_intended_at IS NOT NULL AND provider_batch_id IS NULL"), 0.05)
        strangers_batch(fleet, fleet.number("SELECT max(lines) FROM batches WHERE create_intended_at IS NOT NULL"))
        wait_for(30, "one is held", lambda: fleet.states().get("held"), 0.2)
        ours = fleet.value("SELECT batch_id FROM batches WHERE state = 'held' AND reason = 'ambiguous'")
        sure("ambiguous" in fleet.sluice("batches", "list", "--state", "held"), "the list says why")

        claim("the wrong one of the two is found out by its lines; the right one is settled")
        by_stranger = {b["first_custom_id"].startswith("stranger"): b["id"] for b in fleet.control()["batches"]
                       if b["first_custom_id"].startswith("stranger") or fleet.number(
                           f"SELECT count(*) FROM attempts WHERE attempt_id = '{b['first_custom_id']}' AND batch_id = '{ours}'")}
        fleet.sluice("batches", "adopt", ours, by_stranger[True])
        wait_for(30, "it is held again", lambda: fleet.number(
            "SELECT count(*) FROM batches WHERE state = 'held' AND reason = 'not_ours'"), 0.2)
        fleet.sluice("batches", "adopt", ours, by_stranger[False])
        wait_for_ends(fleet, len(ids), 60)
        shown = fleet.sluice("batches", "show", ours)
        sure("saved against sync" in shown and by_stranger[False] in shown, f"the batch is shown: {shown}")
        fleet.sluice("batches", "cancel", ours, good=(1,))
        fleet.sluice("batches", "resubmit", ours, good=(1,))
        same(fleet.number("SELECT count(*) FROM jobs WHERE state = 'DONE'"), 10, "jobs that are done")
        promises.audit(fleet)
        fleet.stop()


def full():
    """A batch as large as OpenAI takes; only when asked for by ONLY=full. LINES=50000 LINE_BYTES=3900 fills 200 MB."""
    lines, size = int(os.environ.get("LINES", 50000)), int(os.environ.get("LINE_BYTES", 3400))
    changes = config(max_lines=50000, max_age="120s", max_bytes="199MiB")
    changes["worker"]["group_size"] = 200
    changes["providers"]["openai"]["first_byte_timeout"] = "120s"
    with BatchFleet("test_batch_full", simulator=options(), config=changes, partitions=64) as fleet:
        worker = fleet.batcher("one")
        claim(f"{lines} lines go up and come down with flat memory")
        for start in range(0, lines, 5000):
            fleet.produce([fleet.job(text="x" * size, lane="batch", output=None) for _ in range(min(5000, lines - start))])
        wait_for(200, "all have joined", lambda: all_alive(fleet) and fleet.number(
            "SELECT count(*) FROM jobs WHERE state = 'BATCHED'") + fleet.ended() >= lines, 0.5)
        with open(f"/proc/{worker.process.pid}/clear_refs", "w") as reset:
            reset.write("5")  # what Kafka's read-ahead took is another thing, and given back
        wait_for(400, "all have ended", lambda: all_alive(fleet) and fleet.ended() >= lines, 1)
        wait_for(60, "it is closed", lambda: not set(fleet.states()) - {"imported", "failed"}, 0.3)
        with open(f"/proc/{worker.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
        for row in fleet.sql("SELECT lines, bytes, round(extract(epoch FROM created_at - intended_at), 1), "
                             "round(extract(epoch FROM closed_at - ended_at), 1), "
                             "round(lines / extract(epoch FROM closed_at - ended_at)) FROM batches"):
            say("lines {}, bytes {}, up in {} s, down and settled in {} s: {} lines/s".format(*row))
        say(f"peak memory of the batch worker: {peak} MB")
        sure(peak <= 100, f"flat memory: {peak} MB")
        promises.audit(fleet)
        check_creates(fleet)
        fleet.stop()


PARTS = {"happy": happy, "odd": odd, "kills": kills, "held": held}


def main():
    for name in (ONLY or ",".join(PARTS)).split(","):
        # How many lines are rescued in time hangs on the machine's speed, so `rescues` runs when asked for.
        {**PARTS, "rescues": rescues, "full": full}[name]()


if __name__ == "__main__":
    sys.exit(main())
