"""Batches as large as providers take them: OpenAI's 50,000 lines in 200 MB, Anthropic's 100,000 lines, against
the simulator. Prints how many lines a second are gathered, go up, and come down settled, with the batch worker's
processor time, and its peak of memory, which must stay flat: at most 100 MB for the whole worker.

    scripts/bench_batch [--provider openai|anthropic] [--lines N] [--line-bytes N]
"""
import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import promises  # noqa: E402
from batch_fleet import BatchFleet, all_alive, check_creates, config, options  # noqa: E402
from fleet import claim, same, say, sure, wait_for  # noqa: E402

MOST_MEMORY = 100  # MB
PARTITIONS = 96  # the embedded broker keeps 5 MiB of each
FULL = {
    "openai": {"model": "gpt-4o-mini", "lines": 50000, "line_bytes": 4010, "max_bytes": "200MiB"},
    "anthropic": {"model": "claude-haiku-4-5", "lines": 100000, "line_bytes": 2400, "max_bytes": "256MiB"},
}
FRAME = {"openai": 260, "anthropic": 190}  # bytes of a line around its text, about


def memory(worker):
    """MB at most, from its beginning."""
    with open(f"/proc/{worker.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def processor(worker):
    """Seconds of it so far."""
    with open(f"/proc/{worker.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stage:
    """How long something takes, and how much of the worker's processor."""

    def __init__(self, worker, name, lines):
        self.worker, self.name, self.lines = worker, name, lines
        self.began, self.spent = time.monotonic(), processor(worker)

    def done(self):
        took, spent = time.monotonic() - self.began, processor(self.worker) - self.spent
        say(f"{self.name}: {took:.1f} s, {self.lines / took:.0f} lines/s, {1e6 * spent / self.lines:.0f} us of the worker a line, "
            f"peak {memory(self.worker):.0f} MB")


def gather(fleet, worker, plan):
    stage = Stage(worker, "written and gathered", plan["lines"])
    text = "x" * max(1, plan["line_bytes"] - FRAME[plan["provider"]])
    for start in range(0, plan["lines"], 5000):
        fleet.produce([fleet.job(text=text, lane="batch", output=None) for _ in range(min(5000, plan["lines"] - start))])
    wait_for(600, "all have joined", lambda: all_alive(fleet) and fleet.number(
        "SELECT count(*) FROM jobs WHERE state = 'BATCHED'") + fleet.ended() >= plan["lines"], 0.5)
    stage.done()


def run(plan):
    changes = config(max_lines=plan["lines"], max_age="600s", max_bytes=plan["max_bytes"])
    changes["worker"]["group_size"] = 200
    changes["providers"][plan["provider"]]["first_byte_timeout"] = "120s"
    changes["tiers"] = [{"name": "economy", "candidates": [{"provider": plan["provider"], "model": plan["model"]}]}]
    with BatchFleet("bench_batch", simulator=options(), config=changes, partitions=PARTITIONS) as fleet:
        worker = fleet.batcher("one")
        claim(f"{plan['provider']}: {plan['lines']} lines of {plan['line_bytes']} bytes in one batch")
        gather(fleet, worker, plan)
        stage = Stage(worker, "file written and sent", plan["lines"])
        wait_for(300, "it is at the provider", lambda: all_alive(fleet) and fleet.number(
            "SELECT count(*) FROM batches WHERE created_at IS NOT NULL"), 0.2)
        stage.done()
        wait_for(300, "it has ended there", lambda: all_alive(fleet) and fleet.number(
            "SELECT count(*) FROM batches WHERE ended_at IS NOT NULL"), 0.2)
        stage = Stage(worker, "fetched and settled", plan["lines"])
        wait_for(900, "it is imported", lambda: all_alive(fleet) and fleet.states().get("imported"), 0.5)
        stage.done()
        for row in fleet.sql("SELECT lines, bytes, round(extract(epoch FROM closed_at - ended_at), 1), "
                             "round(lines / extract(epoch FROM closed_at - ended_at)) FROM batches"):
            say("batch of {} lines and {} bytes: from its end to its import {} s by the database's clock, {} lines/s".format(*row))
        same(fleet.number("SELECT max(lines) FROM batches"), plan["lines"], "lines of the batch")
        same(fleet.number("SELECT count(*) FROM results WHERE outcome = 'DONE'"), plan["lines"], "jobs done")
        wait_for(120, "everything owed is told", lambda: fleet.number("SELECT count(*) FROM outbox") == 0, 0.5)
        check_creates(fleet)
        promises.audit(fleet)
        promises.audit_bill(fleet)
        peak = memory(worker)
        say(f"{plan['provider']}: peak memory of the whole batch worker {peak:.0f} MB")
        sure(peak <= MOST_MEMORY, f"flat memory: {peak:.0f} MB")
        fleet.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", choices=sorted(FULL), help="only this one")
    parser.add_argument("--lines", type=int, help="instead of as many as the provider takes")
    parser.add_argument("--line-bytes", type=int, help="about; instead of what fills the file")
    wishes = parser.parse_args()
    for provider in [wishes.provider] if wishes.provider else ["openai", "anthropic"]:
        plan = dict(FULL[provider], provider=provider)
        plan.update({name: value for name, value in (("lines", wishes.lines), ("line_bytes", wishes.line_bytes)) if value})
        run(plan)


if __name__ == "__main__":
    main()
