"""What is known of batches while they run and afterwards: the worker's door, the operator's view, the alarm
about results that nobody fetches, and the lane that measured times choose.
"""
import json
import subprocess
import time

import promises
from api import Api, make_key
from batch_fleet import BatchFleet, config, options, wait_for_ends
from fleet import SLUICE, Worker, claim, same, say, sure, wait_for


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def listed(fleet, *words):
    return json.loads("[" + ",".join(fleet.sluice("batches", "list", "--json", *words).split("\n")[:-1]) + "]")


def shown(fleet, batch):
    return {row["fact"]: row["value"] for row in map(json.loads, fleet.sluice("batches", "show", batch, "--json").splitlines())}


def wait_for_states(fleet, *states):
    wait_for(30, f"all batches are {' or '.join(states)}", lambda: set(fleet.states()) == set(states))


def door(fleet, worker):
    claim("the batch worker tells that it lives, that it is ready, and what is open at the providers")
    same(worker.get("/healthz"), (200, "ok\n"), "/healthz")
    same(worker.get("/readyz"), (200, "ok\n"), "/readyz")
    same(worker.get("/elsewhere")[0], 404, "another path")
    wait_for(30, "the batches are counted", lambda: worker.metric("sluice_batches", provider="anthropic") > 0)
    sure(worker.metric("sluice_batch_oldest_seconds", provider="anthropic") > 0, "the oldest has an age")
    same(worker.metric("sluice_ready"), 1.0, "sluice_ready")
    twin = subprocess.run([SLUICE, "batch", "--listen", f"127.0.0.1:{worker.port}", "--config", fleet.config_path],
                          capture_output=True, check=False, timeout=30)
    sure(twin.returncode != 0 and b"batch.listen" in twin.stderr, f"a second one at the same port says so: {twin.stderr}")


def running(fleet):
    """Batches that take days: nothing of them has come back."""
    claim("while batches run, the list tells the progress as far as providers do, and the risk of deadlines")
    far, near, hopeless = {"deadline": at(50 * 3600)}, {"deadline": at(20 * 3600)}, {"deadline": at(90)}
    kinds = [("economy", far), ("frontier", near), ("standard", None), ("small", hopeless)]
    ids = fleet.produce([fleet.job(tier=tier, lane="batch", routing=routing) for tier, routing in kinds for _ in range(5)])
    wait_for(30, "four batches run", lambda: fleet.states().get("running") == "4")
    rows = {row["model"]: row for row in listed(fleet)}
    same({model: row["deadline_risk"] for model, row in rows.items()},
         {"gpt-4o-mini": "in time", "claude-opus-5": "5 of 5 may leave", "claude-sonnet-5": "no deadline",
          "gpt-5": "5 leave within 1 h"}, "risk by model")
    same(rows["claude-opus-5"]["progress"], "not told before the end", "Anthropic's progress")
    sure("0 + 0 failed" in rows["gpt-4o-mini"]["progress"], f"OpenAI's progress: {rows['gpt-4o-mini']}")
    facts = shown(fleet, rows["claude-opus-5"]["batch"])
    sure("only when all of it has ended" in facts["progress"], f"said plainly: {facts}")
    sure("the day that is promised" in facts["expected"], f"expected: {facts}")
    sure(facts["deadline risk"].startswith("5 of 5 jobs"), f"risk: {facts}")
    return ids, rows


def alarm(fleet, rows):
    claim("when half of the provider's retention is over, an alarm is raised, once a batch")
    old, young = rows["gpt-4o-mini"]["batch"], rows["claude-sonnet-5"]["batch"]
    fleet.sql(f"UPDATE batches SET created_at = now() - interval '15 days 1 minute' WHERE batch_id = '{old}'")
    fleet.sql(f"UPDATE batches SET created_at = now() - interval '14 days 11 hours' WHERE batch_id = '{young}'")
    wait_for(30, "it is raised", lambda: fleet.number("SELECT count(*) FROM alerts WHERE kind = 'retention'"))
    fleet.sql("SELECT raise_batch_alarms()")
    same(fleet.sql("SELECT detail ->> 'batch' FROM alerts WHERE kind = 'retention'"), [(old,)], "alarms")
    sure("retention" in fleet.sluice("alerts", "list"), "it is in the list of alerts")


def ended(fleet, ids):
    claim("what a batch cost and saved is told when it has ended")
    fleet.control(batch_speed=600000)
    wait_for_ends(fleet, len(ids), 60)
    rows = listed(fleet, "--state", "imported")
    sure(len(rows) >= 3, f"imported batches: {rows}")
    for row in rows:
        same(row["deadline_risk"], "", "risk of a closed one")
        sure(float(row["saved_usd"]) > 0, f"it saved something: {row}")
        same(round(float(row["usd_so_far"]) / (float(row["usd_so_far"]) + float(row["saved_usd"])), 2), 0.5,
             "half of the price of sync calls")
        facts = shown(fleet, row["batch"])
        same((float(facts["cost so far usd"]), float(facts["saved against sync usd"])), (row["usd_so_far"], row["saved_usd"]),
             "list and show agree")
    promises.check_all(fleet, ids)


def chosen(api, key, seconds):
    job = {"prompt": {"messages": [{"role": "user", "content": "hi"}]}, "routing": {"tier": "economy", "deadline": at(seconds)}}
    return api.ask("POST", "/v1/jobs?dry_run=true", job, key).json["quote"]["lane"]


class Router(Worker):
    def words(self):
        return ["router", "--listen", f"127.0.0.1:{self.port}"]


def measured(fleet):
    claim("before batches of a model were measured, lane auto wants the day that providers promise")
    key = make_key(fleet, "search")
    api = Api(fleet, "api-before").start()
    same([chosen(api, key, hours * 3600) for hours in (2, 23, 25)], ["normal", "normal", "batch"], "lanes at 2, 23 and 25 hours")
    api.stop()
    ids = []
    for _ in range(6):
        ids += fleet.produce([fleet.job(lane="batch") for _ in range(3)])
        wait_for_ends(fleet, len(ids), 60)
    say("measured:", fleet.sql("SELECT provider, model, batches, round(p95_s::numeric, 1) FROM batch_times()"))
    claim("measured ones take seconds: a deadline of two hours is enough for a batch")
    api = Api(fleet, "api-after").start()
    wait_for(10, "the api knows", lambda: chosen(api, key, 2 * 3600) == "batch")
    api.stop()
    router = Router(fleet, "router").start()
    wait_for(20, "the router knows", lambda: router.logged("event=batch_times_read"))
    routed = fleet.job(routing={"tier": "economy", "deadline": at(2 * 3600)})[1]
    fleet.produce([(f"{fleet.prefix}.intake", routed)])
    wait_for(30, "it has ended", lambda: fleet.number(f"SELECT count(*) FROM results WHERE job_id = '{routed['job_id']}'"))
    same(fleet.value(f"SELECT lane FROM ledger WHERE job_id = '{routed['job_id']}'"), "batch", "the lane that the router chose")
    router.term()
    router.wait(10)

    claim("one that was cancelled nobody knows the time of: it counts as a day, and two hours are too few again")
    fleet.sql("UPDATE batches SET cancel_requested = true WHERE batch_id = (SELECT batch_id FROM batches ORDER BY 1 DESC LIMIT 1)")
    sure(float(fleet.value("SELECT p95_s FROM batch_times()")) >= 86400, "a cancelled one counts as a day")
    api = Api(fleet, "api-last").start()
    wait_for(10, "the api knows", lambda: chosen(api, key, 24 * 3600 + 1) == "normal")  # gathering and rescue take over a second
    same(chosen(api, key, 2 * 3600), "normal", "lane at two hours")
    api.stop()
    promises.check_all(fleet, ids + [routed["job_id"]])


def main():
    changes = config(max_age="200ms", rescue_before="1s")
    changes["tiers"] = [{"name": tier, "candidates": [{"provider": provider, "model": model}]} for tier, provider, model in (
        ("economy", "openai", "gpt-4o-mini"), ("small", "openai", "gpt-5"), ("standard", "anthropic", "claude-sonnet-5"),
        ("frontier", "anthropic", "claude-opus-5"))]
    with BatchFleet("test_batch_view", simulator=options(batch_run="80000", batch_speed="60"), config=changes) as fleet:
        worker = fleet.batcher("one")
        fleet.start("sync")
        ids, rows = running(fleet)
        door(fleet, worker)
        alarm(fleet, rows)
        ended(fleet, ids)
        fleet.stop()
    with BatchFleet("test_batch_lanes", simulator=options(), config=changes) as fleet:
        fleet.batcher("one")
        fleet.start("sync")
        measured(fleet)
        fleet.stop()


if __name__ == "__main__":
    main()
