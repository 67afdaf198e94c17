"""What Sluice sends to OpenAI fits OpenAI's own description of it: every request that the simulator
recorded, call by call and as lines of batches, is checked against the published schemas by a validator
that is not ours (python's jsonschema).

The schemas lie beside this repository (../shared/provider-data, or SLUICE_SHARED); where they are not,
or the validator cannot be had, this test says so and is skipped.
"""
import collections
import copy
import email.parser
import email.policy
import glob
import json
import os
import subprocess
import sys
import venv

from batch_fleet import BatchFleet, config, options, wait_for_ends
from fleet import SCHEMA, SOURCE, claim, same, say, sure

SKIPPED = 77  # as ctest and automake know it
VALIDATOR = "jsonschema==4.26.0"
SHARED = os.path.join(os.environ.get("SLUICE_SHARED") or os.path.join(SOURCE, "..", "shared"), "provider-data")
API, LINES = "openai-schemas-2020-12.json", "openai-batch-line-schemas.json"


# --- the validator ---

def import_validator():
    """Python's own, or one in an environment of the tests'; None: there is none to be had."""
    try:
        import jsonschema
        return jsonschema
    except ImportError:
        pass
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = os.path.join(home, "sluice-tests", VALIDATOR)
    try:
        if not os.path.exists(os.path.join(place, "done")):
            venv.create(place, with_pip=True, clear=True)
            subprocess.run([os.path.join(place, "bin", "pip"), "install", "--quiet", "--timeout", "10", "--retries", "1",
                            VALIDATOR], check=True, timeout=300, capture_output=True)
            with open(os.path.join(place, "done"), "w"):
                pass
        sys.path += glob.glob(os.path.join(place, "lib", "python*", "site-packages"))
        import jsonschema
        return jsonschema
    except (subprocess.SubprocessError, OSError, ImportError) as error:
        print(f"skipped: {VALIDATOR} can't be had here: {error}")
        return None


class Contract:
    """The published schemas by name; counts what was checked against each."""

    def __init__(self, jsonschema):
        self.make = jsonschema.Draft202012Validator
        with open(os.path.join(SHARED, API)) as file:
            self.components = json.load(file)["components"]
        with open(os.path.join(SHARED, LINES)) as file:
            self.lines = json.load(file)["$defs"]
        self.validators, self.checked = {}, collections.Counter()

    def validator(self, name):
        if name not in self.validators:
            schema = (self.lines[name] if name in self.lines else
                      {"$ref": f"#/components/schemas/{name}", "components": self.components})
            self.validators[name] = self.make(schema)
        return self.validators[name]

    def fits(self, name, value):
        return self.validator(name).is_valid(value)

    def check(self, name, value):
        errors = sorted(self.validator(name).iter_errors(value), key=lambda error: list(map(str, error.path)))
        sure(not errors, f"against {name}: " + "; ".join(f"{error.json_path}: {error.message[:300]}" for error in errors[:3])
             + f": {json.dumps(value)[:600]}")
        self.checked[name] += 1


# --- jobs of every shape ---

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "What the weather is.", "strict": True,
    "parameters": {"type": "object", "required": ["city"], "additionalProperties": False,
                   "properties": {"city": {"type": "string"}}}}}
ODD = {"type": "object", "required": ["when", "list"], "properties": {
    "when": {"type": "string", "format": "date-time"}, "list": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
    "any": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]}},
    "$defs": {"item": {"type": "object", "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}}}}


def said(*texts):
    roles = ("system", "user", "assistant")
    return {"messages": [{"role": roles[min(i, 1) if i < 2 else 1 + i % 2], "content": text} for i, text in enumerate(texts)]}


SHAPES = {
    "an answer that fits a schema": {},
    "plain text": {"output": None},
    "a schema that no strict mode takes": {"output": {"type": "json_schema", "schema": ODD, "name": "odd"}},
    "all parameters": {"parameters": {"max_output_tokens": 200, "temperature": 0.3, "top_p": 0.9, "stop": ["END", "\n\n"],
                                      "seed": 7, "reasoning_effort": "low"}},
    "a conversation": {"prompt": said("Be brief.", "Hello", "Hi.", "Is this spam?"), "output": None},
    "parts, marked and stable": {"prompt": {"messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Rules " * 300, "mark": "instructions", "stable": True}]},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Win a prize", "mark": "input"}]}]}},
    "tools": {"prompt": {"messages": [{"role": "user", "content": "Weather in Oslo?"}], "tools": [WEATHER],
                         "tool_choice": "auto"}, "output": None},
    "a tool that must be called": {"prompt": {
        "messages": [{"role": "user", "content": "Weather in Rome?"}], "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}}}, "output": None},
    "what a tool said": {"prompt": {"tools": [WEATHER], "messages": [
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]}, "output": None},
    "a repair": {"prompt": said("Sort mail.", "[[sim:malformed*1]] Is this spam?")},
    "two repairs and an escalation": {"prompt": said("Sort mail.", "[[sim:violation*3]] Is this spam?")},
    "letters of many scripts": {"prompt": said("Ответь кратко.", "これは\u2028スパム？ \"\\\t\u0007 \U0001f600")},
}


def jobs(fleet, lane, copies):
    """The simulator counts attempts by the text of a prompt, so each has a text of its own."""
    made = []
    for i in range(copies):
        for tier in ("economy", "standard", "frontier"):
            for n, shape in enumerate(SHAPES.values()):
                topic, job = fleet.job(tier=tier, lane=lane, user=f"user-{i}", task=f"shape-{n}", **copy.deepcopy(shape))
                last = job["prompt"]["messages"][-1]
                if isinstance(last["content"], str):
                    last["content"] += f" ({job['job_id']})"
                made.append((topic, job))
    return made


# --- what was recorded ---

def recorded(path):
    with open(path) as file:
        for line in file:
            request = json.loads(line)
            request["headers"] = {name.lower(): value for name, value in request["headers"].items()}
            yield request


def parts_of(upload):
    """Name to (file name or None, text) of a multipart body."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + upload["headers"]["content-type"].encode() + b"\r\n\r\n" + upload["body"].encode())
    sure(message.is_multipart() and not message.defects, f"the upload is multipart: {message.defects}")
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[name] = part.get_filename(), part.get_payload(decode=True).decode()
    return found


def check_upload(contract, upload):
    """Returns the lines of its file."""
    parts = parts_of(upload)
    contract.check("CreateFileRequest", {name: text for name, (_, text) in parts.items()})
    name, text = parts["file"]
    sure(name.endswith(".jsonl"), f"the file's name ends with .jsonl: {name}")
    same(len(text.splitlines()), text.rstrip("\n").count("\n") + 1, "lines, for a reader that knows other ends of lines")
    lines = [json.loads(line) for line in text.split("\n") if line]
    for line in lines:
        contract.check("BatchRequestInput", line)
        sure(set(line) == {"custom_id", "method", "url", "body"}, f"members of a line: {sorted(line)}")
        contract.check("CreateChatCompletionRequest", line["body"])
    ids = [line["custom_id"] for line in lines]
    same(len(set(ids)), len(ids), "custom ids of a file, each once")
    same(len({line["body"]["model"] for line in lines}), 1, "models of a file")
    return lines


def check_all(contract, path):
    """Every request to OpenAI that sends something. Returns the calls, the lines and the orders."""
    calls, lines, orders = [], [], []
    for request in recorded(path):
        where = request["method"], request["url"]
        if where == ("POST", "/v1/chat/completions"):
            calls.append(json.loads(request["body"]))
            contract.check("CreateChatCompletionRequest", calls[-1])
        elif where == ("POST", "/v1/files"):
            lines += check_upload(contract, request)
        elif where == ("POST", "/v1/batches"):
            orders.append(json.loads(request["body"]))
            contract.check("CreateBatchRequest", orders[-1])
        else:
            sure(request["method"] == "GET" or request["url"].endswith("/cancel") or request["url"].startswith("/v1/messages")
                 or request["url"] == "/control", f"a request that nobody checks: {where}")
    return calls, lines, orders


def is_repair(body):
    """The answer that did not fit is quoted in it."""
    return "sim:malformed" in json.dumps(body) and any(message["role"] == "assistant" for message in body["messages"])


def damaged(value, change):
    value = copy.deepcopy(value)
    change(value)
    return value


def check_teeth(contract, calls, lines, orders):
    """The same requests, each spoilt in one place, are refused."""
    spoilt = [("CreateChatCompletionRequest", body, change) for body in (calls[0], lines[0]["body"]) for change in (
        lambda body: body.pop("model"), lambda body: body.update(messages=[]), lambda body: body.update(temperature=9),
        lambda body: body["messages"][-1].pop("role"), lambda body: body.update(response_format={"type": "json"}))]
    spoilt += [("BatchRequestInput", lines[0], lambda line: line.pop("custom_id")),
               ("BatchRequestInput", lines[0], lambda line: line.update(method="GET")),
               ("BatchRequestInput", lines[0], lambda line: line.update(url="/v1/messages")),
               ("CreateBatchRequest", orders[0], lambda order: order.update(completion_window="1h")),
               ("CreateBatchRequest", orders[0], lambda order: order.pop("input_file_id")),
               ("CreateFileRequest", {"purpose": "batch", "file": ""}, lambda parts: parts.update(purpose="mine"))]
    for name, good, change in spoilt:
        sure(contract.fits(name, good), f"{name} takes the one that was sent")
        sure(not contract.fits(name, damaged(good, change)), f"{name} refuses a spoilt one: {json.dumps(damaged(good, change))[:300]}")
    return len(spoilt)


def main():
    if not os.path.exists(os.path.join(SHARED, API)):
        print(f"skipped: OpenAI's schemas are not here: {os.path.join(SHARED, API)}")
        return SKIPPED
    jsonschema = import_validator()
    if not jsonschema:
        return SKIPPED
    contract = Contract(jsonschema)
    changes = config(max_lines=40)
    changes["defaults"] = {"min_confidence": 0.5}
    changes["tiers"] = [{"name": name, "candidates": [{"provider": "openai", "model": model}]} for name, model in (
        ("economy", "gpt-4o-mini"), ("standard", "gpt-5.6-terra"), ("frontier", "gpt-5"))]
    record = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"sluice-record.{os.getpid()}")
    try:
        with BatchFleet("test_openai_schemas", simulator=options(record=record), config=changes) as fleet:
            fleet.start("sync")
            fleet.batcher("one")
            claim(f"{len(SHAPES)} shapes of jobs on three models, call by call and in batches")
            ids = fleet.produce(jobs(fleet, "batch", 3) + jobs(fleet, "normal", 1))
            wait_for_ends(fleet, len(ids), 120)
            done = fleet.number("SELECT count(*) FROM results WHERE outcome = 'DONE'")
            same(fleet.sql("SELECT reason, detail FROM results WHERE reason IN ('unsendable', 'invalid_request') LIMIT 3"), [],
                 "jobs that could not be sent")
            sure(done > 0.8 * len(ids), f"most are done: {done} of {len(ids)}")
            fleet.stop()
            claim("every request that the simulator recorded fits OpenAI's published schemas")
            calls, lines, orders = check_all(contract, record)
            sure(len(lines) >= len(ids) // 2 and len(calls) > len(SHAPES) and orders, "calls, lines and orders were recorded")
            sure(any(is_repair(line["body"]) for line in lines), "repairs are among the lines")
            say(", ".join(f"{count} {name}" for name, count in sorted(contract.checked.items())))
            claim("and spoilt in one place they do not")
            say(f"{check_teeth(contract, calls, lines, orders)} spoilt ones are refused")
    finally:
        if os.path.exists(record):
            os.unlink(record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
