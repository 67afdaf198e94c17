"""Whatever is written to a topic, it ends as a clear outcome or as a dead letter that holds its
bytes, and the worker that read it stays up."""
import base64
import hashlib
import json
import os
import sys
import uuid

import contract
from fleet import KAFKA, SCHEMA, SLUICE, Failed, Fleet, claim, same, say, sure, wait_for

TOPIC = "sluice.economy.normal"
HUGE = 3 << 20 if KAFKA == "embedded" else 10 << 20  # the embedded broker keeps 5 MiB in all
PRICES = """openai gpt-4o-mini snapshot=gpt-4o-mini-2024-07-18 window=128000 in=0.15 read=0.075 out=0.6
openai gpt-untold snapshot=gpt-untold window=128000 in=1 read=0.5 out=2
anthropic claude-haiku-4-5 snapshot=claude-haiku-4-5-20251001 window=200000 cache_min=4096 in=1 read=0.1 write=1.25 write_1h=2 out=5
anthropic claude-opus-5 snapshot=claude-opus-5 window=1000000 cache_min=512 in=5 read=0.5 write=6.25 write_1h=10 out=25
openai gpt-5.6-sol snapshot=gpt-5.6-sol window=1050000 in=5 read=0.5 write=6.25 out=30
"""
# A model that the simulator bills and that our price list does not know.
CONFIG = {
    "tiers": [
        {"name": "economy", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}]},
        {"name": "standard", "candidates": [{"provider": "openai", "model": "gpt-untold", "traits": {
            "output": "openai_schema", "context_window": 128000, "max_output": 4096}}]},
        {"name": "frontier", "candidates": [{"provider": "openai", "model": "gpt-5.6-sol"}]},
    ],
}


def envelope(**more):
    made = {"version": 1, "job_id": str(uuid.uuid4()), "business_unit": "claims",
            "prompt": {"messages": [{"role": "user", "content": "Hello."}]}}
    made.update(more)
    return json.dumps({k: v for k, v in made.items() if v is not None}).encode()


def prompt(text):
    return {"messages": [{"role": "user", "content": text}]}


def bad_messages():
    """What no job can be read from: name and bytes."""
    return {
        "not JSON": b"this is no JSON",
        "cut off": envelope()[:-5],
        "random bytes": bytes(range(256)) * 3,
        "invalid UTF-8": envelope().replace(b"Hello", b"Hel\xff\xfe"),
        "two values": envelope() + envelope(),
        "an array": b"[1, 2, 3]",
        "a number": b"42",
        "wrong types": envelope(business_unit=7, prompt="hello"),
        "no prompt": envelope(prompt=None),
        "an unknown member": envelope(priority=3),
        "an id and a key": envelope(idempotency_key="k"),
        "an id that is none": envelope(job_id="17"),
        "a tag of 10,000 bytes": envelope(feature="f" * 10000),
        "version 2": envelope(version=2),
        "an object 10,000 deep": b'{"a":' * 10000 + b"1" + b"}" * 10000,
        "metadata 10,000 deep": envelope(metadata={"m": "HERE"}).replace(
            b'"HERE"', b"[" * 10000 + b"]" * 10000),
        "\\u0000": envelope(prompt=prompt("a\0b")),
        "a lone surrogate": envelope(prompt=prompt("HERE")).replace(b"HERE", b"\\ud800"),
        "a huge number": envelope(parameters={"seed": 1}).replace(b": 1}", b": 1e999}"),
        f"{HUGE >> 20} MiB": envelope(prompt=prompt("x" * HUGE)),
        "a follow-up of no job": json.dumps(
            {"version": 1, "job_id": str(uuid.uuid4()), "run": 1, "hop": 0}).encode(),
    }


def refuse_huge(fleet, messages):
    """The topics that `sluice topics create` makes do not take what no worker would read."""
    name = f"{HUGE >> 20} MiB"
    try:
        fleet.produce_bytes(TOPIC, [messages.pop(name)], ["-p", "0"])
    except Failed as failed:
        sure("Message size too large" in str(failed), str(failed))
        say(f"{name}: refused by Kafka")
        return
    raise Failed(f"Kafka took {name}")


def check_letters(fleet, messages):
    wait_for(60, "every bad message is rejected", lambda: fleet.number(
        "SELECT count(*) FROM rejects") >= len(messages))
    rows = {int(offset): (reason, detail, digest, int(size)) for offset, reason, detail, digest, size in fleet.sql(
        "SELECT offset_no, reason, detail, encode(sha256(body), 'hex'), length(body) FROM rejects "
        f"WHERE topic = '{TOPIC}' AND partition_no = 0")}
    wait_for(60, "every dead letter is delivered", lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
    letters = {}
    for message in fleet.consume("dead"):
        letter = json.loads(message.body)
        contract.check("dead-letter", letter)
        letters[letter["source"]["offset"]] = letter
    for offset, (name, data) in enumerate(messages.items()):
        sure(offset in rows, f"{name} has no row of rejects")
        reason, detail, digest, size = rows[offset]
        same((digest, size), (hashlib.sha256(data).hexdigest(), len(data)), f"bytes of {name}")
        letter = letters[offset]
        told = base64.b64decode(letter["bytes"])
        same(told, data[:len(told)], f"bytes in the dead letter of {name}")
        same(letter["truncated"], len(told) < len(data), f"truncated, of {name}")
        sure(not letter["truncated"] or len(data) > 1 << 20, f"{name} is not cut short")
        same(letter["size"], len(data), f"size in the dead letter of {name}")
        say(f"{name}: {reason}: {detail[:90]}")


def outcomes(fleet, ids):
    """What the only event of each job says."""
    wait_for(60, "the jobs end", lambda: fleet.number(
        f"SELECT count(*) FROM results WHERE job_id IN ({','.join(map(repr, ids))})") == len(ids))
    wait_for(60, "their events are delivered", lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
    events = [json.loads(m.body) for m in fleet.consume("results") + fleet.consume("dead")]
    found = {event["job_id"]: event for event in events if "outcome" in event}
    same(len(found), sum("outcome" in event for event in events), "jobs with an event")
    return [found[job_id] for job_id in ids]


def check_odd_jobs(fleet):
    """Jobs that can be read but not done."""
    exploding = {"type": "object", "required": ["x"], "properties": {
        "x": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}}
    answer = "[[sim:answer " + json.dumps({"x": "a" * 200}) + "]]"
    odd = {
        "a schema that is none": ({"output": {"type": "json_schema", "schema": {"type": "nonsense"}}},
                                  "dead", {"invalid_schema"}),
        "a schema with a wrong regex": ({"output": {"type": "json_schema", "schema": {"pattern": "(("}}},
                                        "dead", {"invalid_schema"}),
        "a schema that points elsewhere": ({"output": {"type": "json_schema", "schema": {
            "$ref": "https://example.com/schema"}}}, "dead", {"invalid_schema"}),
        "a regex that explodes": ({"output": {"type": "json_schema", "schema": exploding},
                                   "prompt": prompt(answer), "routing": {"max_tier": "economy"}},
                                  "dead", {"same_failure", "invalid_output"}),
        "a reply topic that is not ours": ({"reply_topic": "somebody.elses"}, "dead", {"reply_topic"}),
        "a deadline gone by": ({"routing": {"deadline": "2020-01-01T00:00:00Z"}}, "dead", {"deadline"}),
    }
    ids = [str(uuid.uuid4()) for _ in odd]
    fleet.produce_bytes(TOPIC, [envelope(job_id=job_id, **members)
                                for job_id, (members, _, _) in zip(ids, odd.values())], ["-p", "1"])
    for (name, (_, ended, reasons)), event in zip(odd.items(), outcomes(fleet, ids)):
        say(f"{name}: {event['outcome']}, {event['reason']}: {event.get('detail', '')[:90]}")
        same(event["outcome"], ended, f"outcome of {name}")
        sure(event["reason"] in reasons, f"reason of {name}: {event['reason']}")


def check_unknown_tier(fleet):
    """The topic it was written to decides; a tier that does not exist must not stop it for good."""
    job_id = str(uuid.uuid4())
    fleet.produce_bytes(TOPIC, [envelope(job_id=job_id, routing={"tier": "galaxy", "max_tier": "nowhere"})])
    wait_for(30, "the job of an unknown tier ends somehow", lambda: fleet.number(
        f"SELECT (SELECT count(*) FROM results WHERE job_id = '{job_id}') "
        f"+ (SELECT count(*) FROM rejects WHERE job_id = '{job_id}')") == 1)
    say("an unknown tier:", fleet.sql(f"SELECT outcome, reason, detail FROM results WHERE job_id = '{job_id}'"),
        fleet.sql(f"SELECT reason, detail FROM rejects WHERE job_id = '{job_id}'"))


def check_unpriced(fleet):
    job_id = str(uuid.uuid4())
    fleet.produce_bytes("sluice.standard.normal", [envelope(job_id=job_id)])
    (event,) = outcomes(fleet, [job_id])
    same((event["outcome"], event["cost_usd"], event["cost_pico"], event["unpriced"]),
         ("done", None, None, True), "outcome and cost of an unpriced model")
    same(fleet.sql(f"SELECT kind, amount FROM ledger WHERE job_id = '{job_id}'"), [("charge", None)],
         "the ledger of an unpriced model")
    sure("gpt-untold" in fleet.run([SLUICE, "audit", "unpriced"], good=(1,)),
         "the audit names the unpriced model")


def check_copies(fleet, worker):
    """Fifty copies in one group, and an impostor."""
    made = envelope(output={"type": "json_schema", "schema": SCHEMA})
    job_id = json.loads(made)["job_id"]
    other = made.replace(b"Hello", b"Goodbye")
    calls = fleet.control()["requests"]
    rejects = fleet.number("SELECT count(*) FROM rejects")
    dropped = worker.metric("sluice_claims_total", result="duplicate")
    fleet.produce_lines(TOPIC, [made.decode()] * 50, options=["-p", "2"])
    same(outcomes(fleet, [job_id])[0]["outcome"], "done", "outcome of the copied job")
    wait_for(30, "49 copies are dropped", lambda: worker.metric(
        "sluice_claims_total", result="duplicate") == dropped + 49)
    fleet.produce_lines(TOPIC, [made.decode(), other.decode()], options=["-p", "2"])
    wait_for(30, "the impostor is rejected", lambda: fleet.number(
        "SELECT count(*) FROM rejects") == rejects + 1)
    same(fleet.sql("SELECT job_id, reason, convert_from(body, 'UTF8') FROM rejects WHERE partition_no = 2"),
         [(job_id, "conflict", other.decode())], "the impostor's reject")
    same(fleet.control()["requests"], calls + 1, "calls for 51 copies and an impostor")
    same(fleet.number(f"SELECT count(*) FROM results WHERE job_id = '{job_id}'"), 1, "outcomes")


def main():
    prices = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"sluice-prices.{os.getpid()}")
    with open(prices, "w") as file:
        file.write(PRICES)
    with Fleet("test_bad_input", simulator=["--prices", prices], config=CONFIG) as fleet:
        (worker,) = fleet.start("one")
        pid = worker.process.pid

        messages = bad_messages()
        if KAFKA == "real":
            refuse_huge(fleet, messages)
        claim(f"{len(messages)} messages that are no job become dead letters with their bytes")
        fleet.produce_bytes(TOPIC, messages.values(), ["-p", "0"])  # their order is their offset
        check_letters(fleet, messages)
        claim("jobs that can be read but not done die with the reason")
        check_odd_jobs(fleet)
        check_unknown_tier(fleet)
        claim("what an unknown model costs is unknown, and never nothing")
        check_unpriced(fleet)
        claim("fifty copies are one job, and an impostor is told apart")
        check_copies(fleet, worker)

        claim("the worker lived through all of it")
        sure(worker.is_running() and worker.process.pid == pid, "it is the same process")
        same(worker.get("/healthz")[0], 200, "/healthz")
        same(fleet.number("SELECT count(*) FROM jobs WHERE state NOT IN ('DONE', 'DEAD')"), 0, "unfinished jobs")
        fleet.stop()
    os.unlink(prices)


if __name__ == "__main__":
    sys.exit(main())
