"""The primary fails under steady load: the fleet leaves it alone, the secondary takes over, and when the
primary is back so are its calls; a wrong key parks what only it can do, and resumes. No job is lost.

PER_MINUTE=1000 SECONDS=120 runs it at the load that the README claims; less is enough to see it."""
import datetime
import os
import threading
import time

import promises
from fleet import Fleet, claim, same, say, sure, wait_for

PER_MINUTE = int(os.environ.get("PER_MINUTE", 1200))
SECONDS = float(os.environ.get("SECONDS", 0))  # of outage, beyond what is needed
PRIMARY, SECONDARY = "gpt-4o-mini", "claude-haiku-4-5"
PROBE_AFTER = 3
CONFIG = {
    "worker": {
        "longest_wait_in_memory": "1s",
        "unavailable": {"first": "50ms", "longest": "200ms", "max_tries": 2},
        "breaker": {"share": 0.5, "window": "10s", "min_calls": 5, "probe_after": f"{PROBE_AFTER}s"}},
    "tiers": [
        {"name": "economy", "pick": "cheapest", "candidates": [
            {"provider": "openai", "model": PRIMARY}, {"provider": "anthropic", "model": SECONDARY}]},
        {"name": "standard", "candidates": [{"provider": "anthropic", "model": "claude-sonnet-5"}]},
        {"name": "frontier", "candidates": [{"provider": "anthropic", "model": "claude-opus-5"}]},
    ],
}


STATIC = '{"label": "ham", "score": 0, "reason": null}'
CONFIG["tasks"] = {"cheap": {"cheaper_allowed": True}, "fixed": {"static_answer": STATIC}}


class Load(threading.Thread):
    """Jobs at a steady pace until it is stopped."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet, self.ids, self.over = fleet, [], threading.Event()

    def run(self):
        while not self.over.wait(0.5):
            self.ids += self.fleet.produce([self.fleet.job() for _ in range(PER_MINUTE // 120)])

    def stop(self):
        self.over.set()
        self.join()


def open_rows(fleet, where="true"):
    return fleet.number(f"SELECT count(*) FROM breakers WHERE {where}")


def knows_it_open(worker):
    return worker.metric("sluice_breaker_open", endpoint="openai", model=PRIMARY) > 0


def followed(worker):
    """When the worker last heard that a breaker was open, by its log; 0: it found that itself."""
    last = 0
    with open(worker.log, errors="replace") as log:
        for line in log:
            if "event=breaker_followed" in line and "state=open" in line:
                last = datetime.datetime.fromisoformat(line[5:29].replace("Z", "+00:00")).timestamp()
    return last


def calls_since(fleet, model, since):
    return fleet.number(f"SELECT count(*) FROM attempts WHERE model = '{model}' AND state = 'closed' "
                        f"AND reply = 'answer' AND sent_at > '{since}'")


def now(fleet):
    return fleet.value("SELECT clock_timestamp()")


def the_primary_fails(fleet, load):
    claim("the breaker opens for the whole fleet, and the secondary takes over")
    wait_for(20, "the primary answers", lambda: calls_since(fleet, PRIMARY, "today") > 20)
    fleet.control(fault=f"500@{PRIMARY}=1")
    wait_for(30, "its breaker is open", lambda: open_rows(fleet, f"model = '{PRIMARY}'"))
    opened = fleet.value("SELECT opened_at FROM breakers")
    wait_for(10, "every worker knows it",
             lambda: all(knows_it_open(worker) for worker in fleet.workers.values()), 0.05)
    late = max(followed(worker) for worker in fleet.workers.values()) - float(
        fleet.value(f"SELECT extract(epoch FROM timestamptz '{opened}')"))
    say(f"the last of {len(fleet.workers)} workers knew {late:.2f} s after the opening")
    sure(late <= 1, "the fleet knows within a second")
    doctor = fleet.sluice("doctor", good=(0, 1))
    sure(f"{PRIMARY} has been left alone" in doctor, f"the doctor tells of it: {doctor}")
    wait_for(20, "the secondary answers", lambda: calls_since(fleet, SECONDARY, opened) > 5)
    spilled = float(fleet.value(
        f"SELECT extract(epoch FROM min(sent_at) - '{opened}') FROM attempts "
        f"WHERE model = '{SECONDARY}' AND sent_at > '{opened}'"))
    say(f"the secondary's first call came {spilled:.2f} s after the opening")
    sure(spilled <= 2, "spill within 2 s of the opening")
    # One probe at a time for the fleet, however many workers there are.
    wait_for(40, "a probe has failed", lambda: open_rows(fleet, "openings > 1"))
    time.sleep(SECONDS)  # no event to wait for: in this time no second probe may go
    same(fleet.number(f"""SELECT count(*) FROM attempts a JOIN attempts b ON a.attempt_id < b.attempt_id
        AND a.model = b.model AND b.sent_at - a.sent_at < interval '500 ms'
        WHERE a.model = '{PRIMARY}' AND a.sent_at > timestamptz '{opened}' + interval '2500 ms'
        AND b.sent_at > timestamptz '{opened}' + interval '2500 ms'"""), 0, "probes side by side")
    sure("OPEN BREAKERS" in fleet.sluice("status") and PRIMARY in fleet.sluice("status"),
         "status names the open breaker")


def the_primary_is_back(fleet):
    claim("one probe succeeds, and the whole fleet calls the primary again")
    fleet.control(fault="none=0")
    back = now(fleet)
    due = float(fleet.value("SELECT greatest(0, extract(epoch FROM until - clock_timestamp())) FROM breakers"))
    wait_for(60, "the breaker is closed", lambda: open_rows(fleet) == 0)
    wait_for(20, "the primary answers again", lambda: calls_since(fleet, PRIMARY, back) > 5)
    after = float(fleet.value(f"SELECT extract(epoch FROM min(sent_at) - '{back}') FROM attempts "
                              f"WHERE model = '{PRIMARY}' AND reply = 'answer' AND sent_at > '{back}'"))
    say(f"the primary's first answer: a call {after:.2f} s after its return, its probe was due in {due:.2f} s")
    sure(after <= due + PROBE_AFTER, "return within one probe interval of when the probe is due")
    wait_for(20, "no worker thinks it open",
             lambda: not any(knows_it_open(worker) for worker in fleet.workers.values()))


def the_key_is_wrong(fleet):
    claim("with a wrong key jobs park, nothing dies, and one alert goes out")
    fleet.control(fault="401@claude-sonnet-5=1,401@claude-haiku-4-5=1")
    ids = fleet.produce([fleet.job(tier="standard") for _ in range(30)])
    wait_for(30, "the credential's breaker is open", lambda: open_rows(fleet, "model = ''"))
    wait_for(40, "jobs are parked", lambda: fleet.number(
        "SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason IN ('breaker', 'credential')"))
    same(fleet.number("SELECT count(*) FROM jobs WHERE state = 'DEAD'"), 0, "dead jobs")
    same(fleet.sql("SELECT subject, count(*) FROM alerts WHERE kind = 'breaker' GROUP BY 1"),
         [("anthropic/default", "1")], "alerts")
    ids += what_the_task_allows(fleet)
    fleet.control(fault="none=0")
    wait_for(60, "the breaker is closed", lambda: open_rows(fleet) == 0)
    return ids


def outcomes(fleet, ids):
    wanted = ",".join(f"'{id}'" for id in ids)
    return fleet.sql("SELECT count(*), min(tier), max(tier), bool_and(degraded), max(model), min(cost), "
                     f"max(convert_from(output, 'UTF8')) FROM results WHERE job_id IN ({wanted})")[0]


def what_the_task_allows(fleet):
    claim("meanwhile a task that allows it is answered by a cheaper tier, another by its static answer")
    cheaper = fleet.produce([fleet.job(tier="standard", task="cheap") for _ in range(6)])
    wait_for(30, "the cheaper tier answers", lambda: outcomes(fleet, cheaper)[0] == "6")
    same(outcomes(fleet, cheaper)[1:3], ("economy", "economy"), "the tier of the answers")
    fixed = fleet.produce([fleet.job(tier="standard", task="fixed") for _ in range(6)])
    wait_for(30, "the static answer is given", lambda: outcomes(fleet, fixed)[0] == "6")
    same(outcomes(fleet, fixed)[3:], ("t", None, "0", STATIC), "degraded, nobody's, free, and what the task says")
    return cheaper + fixed


def main():
    with Fleet("test_failover", config=CONFIG) as fleet:
        fleet.start("one", "two", "three")
        load = Load(fleet)
        load.start()
        the_primary_fails(fleet, load)
        the_primary_is_back(fleet)
        load.stop()
        ids = load.ids + the_key_is_wrong(fleet)
        claim("no job is lost, and the ledger is the bill")
        fleet.wait_for_ends(len(ids), 90)
        same(fleet.number("SELECT count(*) FROM results WHERE outcome <> 'DONE'"), 0, "jobs that did not end well")
        fleet.stop()
        promises.check_all(fleet, ids)


if __name__ == "__main__":
    main()
