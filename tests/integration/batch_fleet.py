"""A fleet with batch workers, for tests and benches of the batch lane.

    with BatchFleet("test_x", simulator=options(), config=config(max_lines=100)) as fleet:
        fleet.batcher("one")
        ids = fleet.produce([fleet.job(lane="batch") for _ in range(1000)])
        wait_for_ends(fleet, len(ids), 60)
        check_creates(fleet)
"""
import collections
import os

from fleet import TIERS, Fleet, Worker, same, say, sure, wait_for

SPEED = 6000  # a provider's day passes in 15 seconds
BATCH = {"max_lines": 100, "max_age": "500ms", "poll": "200ms", "retry": "1s", "adopt_wait": "4s",
         "adopt_looks": 3, "rescue_before": "1s"}


class Batcher(Worker):
    """One `sluice batch`."""

    def words(self):
        return ["batch", "--listen", f"127.0.0.1:{self.port}"]


class BatchFleet(Fleet):
    def topics(self):
        tiers = [tier["name"] for tier in self.changes.get("tiers") or ()] or TIERS
        return ([f"{self.prefix}.intake"] + [f"{self.prefix}.{tier}.{lane}" for tier in tiers for lane in ("express", "normal", "batch")])

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


def mixed_jobs(fleet, count, **more):
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


def check_creates(fleet):
    """What the provider made of each intent: one batch, but for those it failed by itself."""
    seen = fleet.control()
    made = collections.Counter(batch["input_file_id"] or batch["first_custom_id"]
                               for batch in seen["batches"] if batch["status"] != "failed")
    same({key: count for key, count in made.items() if count > 1}, {}, "submissions that made two batches")
    known = {row[0] for row in fleet.sql("SELECT provider_batch_id FROM batches WHERE provider_batch_id IS NOT NULL")}
    unknown = [batch["id"] for batch in seen["batches"] if batch["status"] != "failed" and batch["id"] not in known]
    same(unknown, [], "batches of the provider that we do not know")
    histogram = collections.Counter(made.values())
    ours = fleet.sql("SELECT creates, count(*) FROM batches WHERE lines > 0 GROUP BY 1 ORDER BY 1")
    say("creates per intent:", ", ".join(f"{times} at the provider: {count}" for times, count in sorted(histogram.items())),
        "| sent by us:", ", ".join(f"{times}: {count}" for times, count in ours),
        f"| held: {fleet.states().get('held', 0)} of {fleet.number('SELECT count(*) FROM batches')} batches")
    return seen
