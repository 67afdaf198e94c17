"""The main road: jobs of every kind by kcat, results by kcat, held against the published contracts;
what operators and analysts can ask; migrations that may run twice and at once."""
import base64
import concurrent.futures
import json
import subprocess
import sys
import uuid

import contract
import promises
from fleet import SCHEMA, SLUICE, Fleet, claim, same, say, sure, wait_for

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_A_JOB = b'\x00\xff{"version": 1, "this": is no JSON \xc3\x28'
TOOL = {"type": "function", "function": {
    "name": "lookup", "description": "Looks up an order.",
    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}}}
CONFIG = {"tasks": {"triage": {"output_schema": SCHEMA, "min_confidence": 0}}}


def make_jobs(fleet):
    """One of each kind, by name."""
    full = dict(usage_tier="enterprise", user="u-17", plan="free", task="triage", step="first",
                parent_job_id=str(uuid.uuid4()), metadata={"document": "a/b.pdf", "page": 1},
                parameters={"max_output_tokens": 200, "temperature": 0, "seed": 7},
                routing={"max_tier": "frontier", "max_cost_usd": 0.5, "quality": "high"})
    return {
        "a schema": fleet.job(),
        "express": fleet.job(lane="express"),
        "plain text": fleet.job(output=None),
        "text by name": fleet.job(output={"type": "text"}),
        "the task's schema": fleet.job(output=None, task="triage"),
        "a reply topic": fleet.job(reply_topic="sluice.replies.test"),
        "every member": fleet.job(**full),
        "the standard tier": fleet.job(tier="standard"),
        "the frontier tier": fleet.job(tier="frontier"),
        "tools": fleet.job(output=None, prompt={
            "messages": [{"role": "user", "content": "Where is order 7?"}], "tools": [TOOL]}),
        "parts of a prompt": fleet.job(prompt={"name": "parts", "version": "2", "messages": [
            {"role": "system", "content": [
                {"type": "text", "text": "Sort the mail.", "mark": "instructions", "stable": True},
                {"type": "text", "text": "We sell shoes.", "mark": "context"}]},
            {"role": "user", "content": [{"type": "text", "text": "Buy now!", "mark": "input"}]}]}),
        "an idempotency key": fleet.job(job_id=None, idempotency_key="order-17"),
    }


def produce(fleet, jobs):
    for topic, job in jobs.values():
        key = job.get("job_id", "none")
        fleet.produce_lines(topic, [json.dumps(job)], [("traceparent", TRACE), ("x-other", "1")], ["-k", key])


def results_by_job(fleet, topic="results"):
    found = {}
    for message in fleet.consume(topic):
        event = json.loads(message.body)
        contract.check("result", event)
        same(message.headers.get("traceparent"), TRACE, "traceparent of a result")
        same(message.headers.get("sluice-event-id"), event["event_id"], "event id in the header")
        sure("x-other" not in message.headers, "only the trace comes back")
        found[event["job_id"]] = event
    return found


def check_results(fleet, jobs):
    found = results_by_job(fleet)
    same(len(found), len(jobs), "results")
    derived = [job for job in found if job not in {job.get("job_id") for _, job in jobs.values()}]
    same(len(derived), 1, "jobs whose id came from a key")
    for name, (topic, job) in jobs.items():
        event = found[job.get("job_id") or derived[0]]
        same((event["outcome"], event["reason"]), ("done", "accepted"), f"outcome of {name}")
        same((event["business_unit"], event["tier"], event["lane"]),
             (job["business_unit"], *topic.split(".")[1:]), f"unit, tier and lane of {name}")
        for member in ("feature", "environment", "usage_tier", "user", "task", "step", "metadata", "parent_job_id"):
            same(event.get(member), job.get(member), f"{member} of {name}")
        check_output(name, job, event)
        check_cost(fleet, event)
    say(f"{len(found)} results fit schemas/result.json")


def check_output(name, job, event):
    if name == "tools":
        sure("tool_calls" in event or "text" in event, "tools are called, or words are said")
    elif job.get("output", {}).get("type") == "json_schema" or job.get("task") == "triage":
        wrong = contract.find_wrong({}, SCHEMA, event["output"], "")
        same(wrong, None, f"output of {name} against its schema")
    else:
        sure(isinstance(event["text"], str) and event["text"], f"text of {name}")


def check_cost(fleet, event):
    charged = fleet.value(f"SELECT sum(amount) FROM ledger WHERE job_id = '{event['job_id']}'")
    same(event["cost_pico"], charged, "the result's cost is the ledger's")
    same(round(float(event["cost_usd"]) * 1e12), int(charged), "in US dollars")


def check_dead_letter(fleet):
    fleet.produce_bytes("sluice.economy.normal", [NOT_A_JOB], ["-H", f"traceparent={TRACE}"])
    wait_for(30, "it is rejected and told", lambda: fleet.number(
        "SELECT (SELECT count(*) FROM rejects) - (SELECT count(*) FROM outbox)") == 1)
    (message,) = fleet.consume("dead")
    letter = json.loads(message.body)
    contract.check("dead-letter", letter)
    same(base64.b64decode(letter["bytes"]), NOT_A_JOB, "bytes of the dead letter")
    place = "{topic}/{partition}/{offset}".format(**letter["source"])
    shown = subprocess.run([SLUICE, "dead", "show", "--config", fleet.config_path, place],
                           capture_output=True, check=False)
    same((shown.returncode, shown.stdout), (0, NOT_A_JOB), "what `sluice dead show` prints")
    say(f"dead letter of {place}: {letter['reason']}: {letter['detail']}")


def refused(fleet, query):
    done = subprocess.run(["psql", "-X", "-q", "-t", fleet.postgres, "-c", "SET ROLE sluice_analyst",
                           "-c", "SET search_path = sluice", "-c", query],
                          capture_output=True, check=False, text=True)
    return done.returncode != 0 and "permission denied" in done.stderr


def check_analyst(fleet):
    for table in ("payloads", "results", "outbox", "jobs", "rejects", "attempts"):
        sure(refused(fleet, f"SELECT * FROM {table} LIMIT 1"), f"an analyst is refused {table}")
    sure(refused(fleet, "DELETE FROM ledger"), "an analyst may not write")
    sure(not refused(fleet, "SELECT count(*) FROM ledger"), "an analyst may read the ledger")
    spent = fleet.sql("SET ROLE sluice_analyst; SELECT business_unit, model, sum(usd)::text, sum(calls)::text "
                      "FROM cost_per_business_unit_day GROUP BY 1, 2 ORDER BY 1, 2")
    booked = fleet.sql("SELECT business_unit, model, trim_scale(sum(amount) / 1e12)::text, count(*)::text "
                       "FROM ledger GROUP BY 1, 2 ORDER BY 1, 2")
    same([(u, m, float(d), c) for u, m, d, c in spent], [(u, m, float(d), c) for u, m, d, c in booked],
         "what each business unit spent, on which models")
    for unit, model, usd, calls in spent:
        say(f"{unit:8} {model:28} {float(usd):.9f} USD {calls:>3} calls")


def check_migrations(fleet):
    fleet.sluice("migrate")
    fleet.run(["psql", "-X", "-q", fleet.postgres, "-c", "CREATE DATABASE second"])
    second = {"SLUICE_CONFIG": fleet.write_config("second.json", postgres={
        "url": fleet.postgres.rsplit("/", 1)[0] + "/second"})}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: subprocess.run([SLUICE, "migrate"], env=second, capture_output=True,
                                                      check=False), range(4)))
    same([run.returncode for run in runs], [0] * 4, "exit codes of four migrations at once")
    count = "SELECT count(*) FROM sluice.schema_migrations"
    same(fleet.run(["psql", "-X", "-A", "-t", second_url(fleet), "-c", count]).strip(),
         fleet.value(count), "migrations of the second database")


def second_url(fleet):
    return fleet.postgres.rsplit("/", 1)[0] + "/second"


def check_door(worker):
    same(worker.get("/healthz")[0], 200, "/healthz")
    same(worker.get("/readyz")[0], 200, "/readyz")
    status, text = worker.get("/metrics")
    same(status, 200, "/metrics")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    sure(all(len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0 for line in lines),
         "every sample has a number")
    names = {line.split("{")[0].split(" ")[0] for line in lines}
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    sure(all(any(name == t or name.startswith(t + "_") for t in typed) for name in names),
         "every sample has a type")
    sure(worker.metric("sluice_jobs_terminal_total") >= 12, "outcomes are counted")
    say(f"/metrics: {len(lines)} samples of {len(typed)} metrics")


def main():
    with Fleet("test_main_job", config=CONFIG) as fleet:
        (worker,) = fleet.start("one")
        jobs = make_jobs(fleet)
        claim(f"{len(jobs)} kinds of job come back as results, as their schema says")
        produce(fleet, jobs)
        fleet.wait_for_ends(len(jobs), 60)
        check_results(fleet, jobs)
        claim("the reply topic has a copy")
        (copy,) = results_by_job(fleet, "sluice.replies.test").values()
        same(copy["job_id"], jobs["a reply topic"][1]["job_id"], "the job on the reply topic")
        claim("what is no job is a dead letter, bit for bit")
        check_dead_letter(fleet)
        claim("an analyst sees what was spent and no prompt")
        check_analyst(fleet)
        claim("migrations can be run again, and four at once")
        check_migrations(fleet)
        claim("the worker's door")
        check_door(worker)
        claim("ledger = bill, and it stops tidily")
        promises.audit(fleet)
        promises.check_ledger(fleet, silent=0)
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
