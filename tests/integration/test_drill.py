"""`sluice drill` on a stage: a configuration that keeps its promises passes, one that breaks them does
not, and whatever may be a real provider is refused before anything is sent to it."""
import json
import os
import subprocess

from fleet import SLUICE, Fleet, claim, free_port, same, say, sure

STATIC = '{"label": "ham"}'
CONFIG = {
    "worker": {
        "longest_wait_in_memory": "1s",
        "unavailable": {"first": "400ms", "longest": "2s", "max_tries": 2},
        "breaker": {"share": 0.5, "window": "10s", "min_calls": 5, "probe_after": "2s"}},
    "providers": {"openai": {"first_byte_timeout": "2s"}, "anthropic": {"first_byte_timeout": "2s"}},
    "tiers": [
        {"name": "economy", "pick": "cheapest", "candidates": [
            {"provider": "openai", "model": "gpt-4o-mini"},
            {"provider": "anthropic", "model": "claude-haiku-4-5"}]},
        {"name": "standard", "candidates": [{"provider": "anthropic", "model": "claude-sonnet-5"}]},
    ],
    "tasks": {"cheap": {"cheaper_allowed": True}, "fixed": {"static_answer": STATIC}},
}
SHORT = """
jobs_per_minute: 600
scenes:
  - {name: down, fault: 500, lasts: 3s}
  - {name: limited, fault: 429, lasts: 3s}
  - {name: key, fault: 401, lasts: 3s}
  - {name: slow, fault: slow, lasts: 3s}
  - {name: garbage, fault: garbage, lasts: 3s}
  - {name: all, fault: 500, at: tier, tier: last, tasks: each, lasts: 3s}
"""
UNKEPT = """
jobs_per_minute: 600
scenes: [{name: nowhere to go, fault: 500, tier: standard, expect: spill, lasts: 2s}]
"""


def drill(fleet, script, config=None, good=(0,)):
    path = os.path.join(fleet.directory, "drill.yaml")
    with open(path, "w") as file:
        file.write(script)
    words = ["drill", path, "--json"] + (["--config", config] if config else [])
    rows = [json.loads(line) for line in fleet.sluice(*words, good=good).splitlines()]
    for row in rows:
        say(f"{row['scene']:14} {row['task']:6} {row['promise']}: {row['found']}: {row['verdict']}")
    return rows


def verdicts(rows, scene, part):
    return [row["verdict"] for row in rows if row["scene"] == scene and part in row["promise"]]


def keeps_its_promises(fleet):
    claim("every outage of the script is weathered as the configuration promises")
    rows = drill(fleet, SHORT)
    same([row for row in rows if row["verdict"] != "kept"], [], "broken promises")
    for scene in ("down", "limited", "key", "slow", "garbage"):
        same(verdicts(rows, scene, "takes over"), ["kept"], f"spill of {scene}")
        same(verdicts(rows, scene, "called again"), ["kept"], f"return of {scene}")
        same(verdicts(rows, scene, "none dies"), ["kept"], f"jobs of {scene}")
    same(verdicts(rows, "key", "one alert"), ["kept"], "the alert of the key")
    same({row["task"]: row["promise"] for row in rows if row["scene"] == "all" and row["task"] in ("cheap", "fixed")
          and "dies" not in row["promise"]},
         {"cheap": "a cheaper tier takes over", "fixed": "jobs get the task's static answer"}, "promises by task")
    same(verdicts(rows, "all", "jobs wait"), ["kept"], "jobs of no task wait")
    same(fleet.number("SELECT count(*) FROM jobs WHERE state <> 'DONE'"), 0, "jobs not done")
    same(fleet.control()["faults"].get("none"), None, "faults are lifted")


def breaks_a_promise(fleet):
    claim("where the script expects more than there is, the promise is broken")
    rows = drill(fleet, UNKEPT, good=(1,))
    same(verdicts(rows, "nowhere to go", "takes over"), ["BROKEN"], "spill to nowhere")
    same(verdicts(rows, "nowhere to go", "none dies"), ["kept"], "jobs all the same")
    claim("a configuration whose jobs die of an outage breaks its promise")
    fleet.stop()
    # 5xx use up no attempt while nobody is answered; what is lost may have to be paid for, and does.
    fleet.changes["defaults"] = {"max_attempts": 1}
    fleet.write_config()
    fleet.start("three")
    rows = drill(fleet, "jobs_per_minute: 600\nscenes: [{name: lost, fault: slow, lasts: 3s}]", good=(1,))
    same([row for row in rows if "gpt-4o-mini is called again" in row["promise"]] != [], True, "the cheapest is called first")
    same(verdicts(rows, "lost", "none dies"), ["BROKEN"], "jobs that die")
    sure("max_attempts" in json.dumps(rows), "the reason is told")


def refuse(fleet, why, **changes):
    config = fleet.write_config("other.json", **changes)
    text = refused(fleet, config)
    sure(why in text, f"told: {text}")


def refused(fleet, config):
    done = subprocess.run([SLUICE, "drill", "--config", config], capture_output=True, text=True, check=False, timeout=60)
    same(done.returncode, 1, "exit code of a refused drill")
    same(done.stdout, "", "what it printed")
    return done.stderr


def refuses(fleet):
    claim("a drill is refused where a provider may be real")
    before = fleet.control()["requests"]
    jobs = fleet.number("SELECT count(*) FROM jobs")
    for url in ("https://api.openai.com/v1", "http://192.0.2.7:8000/v1", "http://127.0.0.1@192.0.2.7/v1",
                "http://127.0.0.1.example.com/v1"):
        refuse(fleet, "not on this host", providers={"openai": {"base_url": url}})
    worker = fleet.workers["three"]
    refuse(fleet, "does not answer as a simulator", providers={"openai": {"base_url": f"http://127.0.0.1:{worker.port}/v1"}})
    refuse(fleet, "control", providers={"openai": {"base_url": f"http://127.0.0.1:{free_port()}/v1"}})
    same(fleet.control()["requests"], before, "requests since")
    same(fleet.number("SELECT count(*) FROM jobs"), jobs, "jobs since")


def wants_workers(fleet):
    claim("without a worker there is nothing to drill")
    fleet.stop()
    sure("no worker is alive" in refused(fleet, fleet.config_path), "told so")


def main():
    with Fleet("test_drill", config=CONFIG) as fleet:
        fleet.start("one", "two")
        keeps_its_promises(fleet)
        breaks_a_promise(fleet)
        refuses(fleet)
        wants_workers(fleet)
        fleet.sluice("audit")


if __name__ == "__main__":
    main()
