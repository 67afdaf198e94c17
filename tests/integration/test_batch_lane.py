"""The batch lane: a thousand jobs and more in batches of both providers, under every oddity of theirs.
Every job ends once, no batch is made twice, the ledger is the bill. (test_batch_kills.py kills workers.)

    JOBS=2000 tests/integration/test_batch_lane.py     more of it
"""
import json
import os
import sys
import time
import urllib.request

import contract
import promises
from batch_fleet import BatchFleet, check_creates, config, mixed_jobs, options, wait_for_ends
from fleet import claim, same, say, sure, wait_for

JOBS = int(os.environ.get("JOBS", 1000))
ONLY = os.environ.get("ONLY", "")
ODDITIES = {
    "batch_lost_upload": 0.1, "batch_file_late": 0.2, "batch_lost_create": 0.2, "batch_hidden": 0.3,
    "batch_flap": 0.3, "batch_invalid": 0.05, "batch_token_limit": 0.05, "batch_expire": 0.1,
    "batch_missing": 0.15, "batch_duplicate": 0.3, "batch_foreign": 0.3, "batch_empty_id": 0.5,
    "batch_cut": 0.3, "batch_zero": 0.1,
}


def ledger_lanes(fleet):
    return dict(fleet.sql("SELECT a.mode, count(*) FROM ledger l JOIN attempts a USING (attempt_id) GROUP BY 1"))


def answered_before(fleet, ids):
    claim("what a batch has answered is given again where calls are made one by one")
    question = {"task": "kept", "business_unit": "search",
                "prompt": {"name": "spam", "version": "3", "messages": [{"role": "user", "content": "Again?"}]}}
    for lane, reason in (("batch", "accepted"), ("normal", "cached")):
        made = fleet.produce([fleet.job(lane=lane, **question)])
        ids += made
        wait_for_ends(fleet, len(ids), 60)
        same(fleet.value(f"SELECT reason FROM results WHERE job_id = '{made[0]}'"), reason, f"the outcome in lane {lane}")


def happy():
    with BatchFleet("test_batch_lane", simulator=options(), config=dict(config(), tasks={"kept": {"cache_ttl": "1h"}})) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim(f"{JOBS} jobs in batches of both providers end once, at half price")
        began = time.monotonic()
        ids = mixed_jobs(fleet, JOBS)
        wait_for_ends(fleet, len(ids), 120)
        say(f"{JOBS} jobs in {time.monotonic() - began:.1f} s")
        answered_before(fleet, ids)
        check_creates(fleet)
        states, money = promises.check_all(fleet, ids)
        sure(int(states["DONE"]) > 0.9 * JOBS, f"most are done: {states}")
        modes = ledger_lanes(fleet)
        sure(int(modes["batch"]) >= JOBS, f"they went through batches: {modes}")
        providers = dict(fleet.sql("SELECT provider, count(*) FROM batches GROUP BY 1"))
        same(sorted(providers), ["anthropic", "openai"], "providers")
        fleet.stop()


TOOL = {"type": "function", "function": {"name": "look", "parameters": {
    "type": "object", "required": ["at"], "properties": {"at": {"type": "integer"}}}}}


def tools():
    changes = config(max_lines=10, max_age="1s")
    changes["tiers"] = [{"name": tier, "candidates": [{"provider": provider, "model": model}]} for tier, provider, model in (
        ("economy", "openai", "gpt-4o-mini"), ("standard", "anthropic", "claude-haiku-4-5"))]
    with BatchFleet("test_batch_tools", simulator=options(), config=changes) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim("the calls for tools that lines of both providers' batches hold are their jobs' answers")
        prompt = {"messages": [{"role": "user", "content": "Look there."}], "tools": [TOOL],
                  "tool_choice": {"type": "function", "function": {"name": "look"}}}
        ids = fleet.produce([fleet.job(tier=tier, lane="batch", output=None, prompt=prompt)
                             for tier in ("economy", "standard") for _ in range(5)])
        wait_for_ends(fleet, len(ids), 60)
        same(ledger_lanes(fleet), {"batch": "10"}, "calls by lane")
        for message in fleet.consume("results"):
            event = json.loads(message.body)
            contract.check("result", event)
            (call,) = event["tool_calls"]
            same((call["function"]["name"], type(json.loads(call["function"]["arguments"])["at"]), "text" in event),
                 ("look", int, False), f"the call of {event['provider']}")
        same(fleet.number("SELECT count(tool_calls) FROM results WHERE output IS NULL"), 10, "results that keep them")
        promises.check_all(fleet, ids)
        fleet.stop()


def odd():
    count = JOBS // 2
    faults = ",".join(f"{name}@batch={rate}" for name, rate in ODDITIES.items())
    with BatchFleet("test_batch_odd", simulator=options(fault=faults), config=config(max_lines=20)) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim(f"{count} jobs under {len(ODDITIES)} oddities of batches all end")
        ids = mixed_jobs(fleet, count)
        wait_for_ends(fleet, len(ids), 200)
        seen = check_creates(fleet)
        say(", ".join(f"{number} {name}" for name, number in sorted(seen["faults"].items())))
        states, _ = promises.check_all(fleet, ids)
        sure(int(states["DONE"]) > 0.9 * count, f"most are done: {states}")
        same(seen["duplicates"], 0, "lines that ran twice")
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
        ids = mixed_jobs(fleet, 60, **in_seconds(13))
        wait_for_ends(fleet, len(ids), 60)
        late = fleet.number("SELECT count(*) FROM ledger WHERE lane = 'batch' AND purpose = 'late'")
        rescued = fleet.number("SELECT sum(rescued) FROM batches")
        say(f"{rescued} rescued, {late} lines of them had run and are waste")
        sure(rescued > 30, "most were rescued")
        sure(late > 0, "some had run")
        same(fleet.number("SELECT count(*) FROM results WHERE outcome <> 'DONE'"), 0, "jobs that are not done")

        claim("until a sync worker claims it, a rescued job's line still wins")
        fleet.workers.pop("sync").term()
        ids += mixed_jobs(fleet, 60, **in_seconds(16))
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
        same(fleet.sql("SELECT subject, key FROM alerts WHERE kind = 'batch'"), [(f"anthropic/{ours}", "ambiguous")], "alerts")

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


def vanished():
    changes = config(max_lines=20)
    changes["tiers"] = [{"name": "frontier", "candidates": [{"provider": "anthropic", "model": "claude-opus-5"}]}]
    with BatchFleet("test_batch_vanished", simulator=options(), config=changes) as fleet:
        victim = fleet.batcher("victim", failpoints="B05=crash@1")
        claim("a batch that the provider threw away is held after a while, and told; nothing is paid again by itself")
        ids = fleet.produce([fleet.job(tier="frontier", lane="batch") for _ in range(5)])
        wait_for(30, "B05 kills it", lambda: not victim.is_running())
        del fleet.workers["victim"]
        gone = wait_for(30, "it has ended there", lambda: [
            batch["id"] for batch in fleet.control()["batches"] if batch["status"] == "completed"])[0]
        urllib.request.urlopen(urllib.request.Request(
            f"{fleet.simulator_url}/v1/messages/batches/{gone}", method="DELETE", headers={"x-api-key": "test"}), timeout=5).read()
        fleet.batcher("next")
        wait_for(90, "it is held", lambda: fleet.states().get("held"))
        ours, reason = fleet.sql("SELECT batch_id, reason FROM batches WHERE state = 'held'")[0]
        same(reason, "vanished", "why it is held")
        same(fleet.sql("SELECT key FROM alerts WHERE kind = 'batch'"), [("vanished",)], "alerts")
        claim("only an operator's word submits it again")
        same(len(fleet.control()["batches"]), 1, "batches made")
        fleet.sluice("batches", "resubmit", ours)
        wait_for_ends(fleet, len(ids), 60)
        same(fleet.sql(f"SELECT state, creates FROM batches WHERE batch_id = '{ours}'"), [("imported", "2")], "the batch and its creates")
        fleet.stop()


BUDGETS = [{"match": {"business_unit": "search"}, "per": "day", "usd": 0.0025},
           {"match": {"business_unit": "claims"}, "per": "day", "requests": 5, "at_stop": "dead"},
           {"match": {"business_unit": "support"}, "per": "day", "requests": 7}]


def balance(fleet, unit):
    """Cap, charged and reserved."""
    return tuple(int(value) for value in fleet.sql(
        f"SELECT cap, charged, reserved FROM allowances WHERE scope ->> 'business_unit' = '{unit}'")[0])


def try_again(fleet):
    """Those who wait for a budget look at once, instead of in a minute or tomorrow."""
    fleet.sql("UPDATE jobs SET due = now() WHERE state = 'PARKED' AND reason = 'budget'")


def counts(fleet, unit):
    """Of the unit's jobs: done, or why not."""
    return dict(fleet.sql("SELECT CASE j.state WHEN 'DONE' THEN 'done' ELSE coalesce(j.reason, lower(j.state::text)) END, count(*) "
                          "FROM jobs j JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id "
                          f"WHERE p.business_unit = '{unit}' GROUP BY 1"))


def budgets():
    changes = config(max_lines=50, max_age="1s")
    changes["budgets"] = BUDGETS
    changes["tiers"] = [{"name": tier, "candidates": [{"provider": provider, "model": model}]} for tier, provider, model in (
        ("economy", "openai", "gpt-4o-mini"), ("frontier", "anthropic", "claude-opus-5"))]
    with BatchFleet("test_batch_budgets", simulator=options(), config=changes) as fleet:
        fleet.start("sync")  # it brings the budgets of the configuration
        wait_for(20, "the budgets are rows", lambda: fleet.number("SELECT count(*) FROM allowances") == len(BUDGETS))
        worker = fleet.batcher("one")
        claim("lines that a budget has no room for do not leave; what others leave of it they may have")
        ids = fleet.produce([fleet.job(lane="batch", business_unit="search") for _ in range(40)])
        wait_for(30, "some wait", lambda: counts(fleet, "search").get("budget"))
        wait_for(30, "some are done", lambda: set(counts(fleet, "search")) == {"budget", "done"})
        say("at first:", counts(fleet, "search"), "of cap, charged, reserved", balance(fleet, "search"))
        for _ in range(20):
            try_again(fleet)
            wait_for(30, "they went or wait again", lambda: set(counts(fleet, "search")) <= {"budget", "done"} and not
                     fleet.number("SELECT count(*) FROM jobs WHERE state = 'PARKED' AND due <= now()"))
            cap, charged, reserved = balance(fleet, "search")
            sure(charged + reserved <= cap, f"never over the cap: {charged} + {reserved} <= {cap}")
            if counts(fleet, "search") == {"done": "40"}:
                break
        same(counts(fleet, "search"), {"done": "40"}, "all that a budget of ten bounds lets through one after the other")
        same(balance(fleet, "search")[1:], (fleet.number("SELECT sum(amount) FROM ledger WHERE business_unit = 'search'"), 0),
             "charged and reserved, by the ledger")

        claim("a used up budget does what it says: these jobs die")
        ids += fleet.produce([fleet.job(lane="batch", business_unit="claims") for _ in range(8)])
        wait_for(30, "five are done", lambda: counts(fleet, "claims").get("done") == "5")
        wait_for(30, "the others died of it", lambda: try_again(fleet) or counts(fleet, "claims") == {"done": "5", "budget": "3"}
                 and fleet.number("SELECT count(*) FROM results WHERE reason = 'budget' AND outcome = 'DEAD'") == 3, 1)

        claim("a create of unknown fate is found again by the lines that were sent, not by those that joined")
        worker.term()
        worker.wait(10)
        del fleet.workers["one"]
        victim = fleet.batcher("victim", failpoints="B04=crash@1")
        ids += fleet.produce([fleet.job(tier="frontier", lane="batch", business_unit="support") for _ in range(12)])
        wait_for(30, "B04 kills it", lambda: not victim.is_running())
        del fleet.workers["victim"]
        fleet.batcher("next")
        wait_for(60, "seven are done", lambda: counts(fleet, "support").get("done") == "7")
        same(counts(fleet, "support"), {"done": "7", "budget": "5"}, "jobs of support")
        same([batch["lines"] for batch in fleet.control()["batches"] if batch["provider"] == "anthropic"], [7], "Anthropic's batches")
        fleet.sluice("budgets", "set", "--match", "business_unit=support", "--per", "day", "--requests", "100")
        wait_for_ends(fleet, len(ids), 60)
        check_creates(fleet)
        promises.check_all(fleet, ids, crashes=True)
        fleet.stop()


PARTS = {"happy": happy, "tools": tools, "odd": odd, "held": held, "vanished": vanished, "budgets": budgets}


def main():
    for name in (ONLY or ",".join(PARTS)).split(","):
        # How many lines are rescued in time hangs on the machine's speed, so `rescues` runs when asked for.
        {**PARTS, "rescues": rescues}[name]()


if __name__ == "__main__":
    sys.exit(main())
