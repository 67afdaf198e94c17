"""Batches of the OpenAI shape: their lines are ordinary jobs, each once whoever dies; what is wrong with
a file is told line by line before anything runs; what has not ended can be cancelled or expires."""
import collections
import json
import os
import threading
import time

import promises
from api import Api, make_key
from fleet import SCHEMA, Fleet, claim, same, say, sure, wait_for
from openai import BODY, line, lines, refusal, upload
from test_openai_files import Watch

CONFIG = {"api": {"models": {"gpt-4": "standard", "smart": "frontier", "haiku": "anthropic/claude-haiku-4-5"}},
          "aliases": {"mini": "gpt-4o-mini"}}
STANDARD = ("claude-sonnet-5", "gpt-5.6-terra")
LINES = int(os.environ.get("LINES", 5_000))  # of the largest batch; OpenAI takes 50,000
LENGTH = int(os.environ.get("LENGTH", 300))  # of a prompt of the largest batch; 3,500 make 183 MB
ENDED = ("completed", "failed", "expired", "cancelled")


def create(api, key, file, **more):
    wish = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    wish.update(more)
    return api.ask("POST", "/v1/batches", wish, key)


def start(api, key, items, **more):
    content = items if isinstance(items, bytes) else lines(items)
    answer = create(api, key, upload(api, key, content).json["id"], **more)
    same(answer.status, 200, f"status of {answer.body[:400]}")
    same(answer.json["status"], "validating", "status of a new batch")
    return answer.json["id"]


def show(api, key, batch):
    return api.ask("GET", f"/v1/batches/{batch}", key=key).json


def wait_for_status(api, key, batch, *statuses, seconds=60):
    def look():
        shown = show(api, key, batch)
        sure(shown["status"] in statuses or shown["status"] not in ENDED, f"status {statuses} of {shown}")
        return shown if shown["status"] in statuses else None
    return wait_for(seconds, f"batch {statuses}", look, 0.2)


def read(api, key, file):
    """Lines of a file by custom id; each id once."""
    if not file:
        return {}
    answer = api.ask("GET", f"/v1/files/{file}/content", key=key)
    same(answer.status, 200, "status")
    found = [json.loads(text) for text in answer.body.decode().splitlines()]
    same(len({one["custom_id"] for one in found}), len(found), "custom ids of a file")
    return {one["custom_id"]: one for one in found}


def both(api, key, shown):
    output, errors = read(api, key, shown["output_file_id"]), read(api, key, shown["error_file_id"])
    same(set(output) & set(errors), set(), "lines in both files")
    return output, errors


def schema_format():
    return {"type": "json_schema", "json_schema": {"name": "spam", "strict": True, "schema": SCHEMA}}


def runs(fleet, api, key):
    claim("a batch runs: every line is answered once, counts are true, money is booked where it belongs")
    items = [line(f"text-{i}", f"Say {i}") for i in range(100)]
    items += [line(f"json-{i}", f"Is it spam? {i}", response_format=schema_format(), max_completion_tokens=200,
                   temperature=0) for i in range(50)]
    items += [line(f"tier-{i}", model=model) for i, model in enumerate(("gpt-4", "smart", "mini", "standard"))]
    batch = start(api, key, items, metadata={"feature": "nightly", "environment": "test", "colour": "red"})
    shown = wait_for_status(api, key, batch, "completed")
    same(shown["request_counts"], {"total": 154, "completed": 154, "failed": 0}, "counts")
    same(shown["metadata"], {"feature": "nightly", "environment": "test", "colour": "red"}, "metadata")
    same((shown["errors"], shown["error_file_id"]), (None, None), "errors")
    times = [shown[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
    same(times, sorted(times), "times")
    same(shown["expires_at"] - shown["created_at"], 24 * 3600, "the completion window")
    output, _ = both(api, key, shown)
    same(set(output), {item["custom_id"] for item in items}, "custom ids")
    for custom_id, one in output.items():
        body = one["response"]["body"]
        same((one["error"], one["response"]["status_code"], body["object"]), (None, 200, "chat.completion"), custom_id)
        sure(body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0,
             f"usage of {body}")
        message = body["choices"][0]["message"]
        sure(message["content"] and message["role"] == "assistant", f"a message: {message}")
        if custom_id.startswith("json"):
            same(sorted(json.loads(message["content"])), sorted(SCHEMA["required"]), "members of the answer")
    same([output[f"tier-{i}"]["response"]["body"]["model"].startswith(names) for i, names in
          enumerate((STANDARD, ("claude-opus-5", "gpt-5.6-sol"), "gpt-4o-mini", STANDARD))], [True] * 4, "models that answered")
    sums = collections.Counter()
    for one in output.values():
        sums.update({name: one["response"]["body"]["usage"][name] for name in ("prompt_tokens", "completion_tokens")})
    same((shown["usage"]["input_tokens"], shown["usage"]["output_tokens"]),
         (sums["prompt_tokens"], sums["completion_tokens"]), "usage of the batch")
    same(fleet.sql("SELECT DISTINCT business_unit, feature, environment FROM ledger"), [("search", "nightly", "test")],
         "what was booked where")
    file = api.ask("GET", f"/v1/files/{shown['output_file_id']}", key=key).json
    same((file["purpose"], file["filename"]), ("batch_output", f"{batch}_output.jsonl"), "the output file")
    job = api.ask("GET", f"/v1/jobs/{output['text-0']['response']['request_id']}", key=key).json
    same((job["state"], job["feature"], job["lane"]), ("done", "nightly", "normal"), "the job behind a line")
    deadline = fleet.value("SELECT convert_from(body, 'UTF8')::json->'routing'->>'deadline' FROM payloads LIMIT 1")
    sure(deadline.startswith(time.strftime("%Y-%m-%dT", time.gmtime(shown["expires_at"]))), f"deadline {deadline}")
    return batch


TOOL = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a town.", "strict": True,
    "parameters": {"type": "object", "required": ["town"], "additionalProperties": False,
                   "properties": {"town": {"type": "string"}}}}}


def tools(fleet, api, key):
    claim("the calls that a model asks for come back as the message's, from every provider's models and with a schema too")
    must = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    said = [{"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Oslo"}'}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
    items = [line("openai", **must), line("anthropic", model="haiku", **must),
             line("schema", response_format=schema_format(), **must), line("any", tools=[TOOL], tool_choice="required"),
             line("text", tools=[TOOL], tool_choice="auto"), line("after", tools=[TOOL], messages=said)]
    shown = wait_for_status(api, key, start(api, key, items), "completed")
    output, errors = both(api, key, shown)
    same((len(output), errors), (6, {}), "lines")
    for custom_id, one in output.items():
        (choice,) = one["response"]["body"]["choices"]
        job = api.ask("GET", f"/v1/jobs/{one['response']['request_id']}", key=key).json
        if custom_id in ("text", "after"):
            same((choice["finish_reason"], "tool_calls" in choice["message"]), ("stop", False), custom_id)
            sure(choice["message"]["content"], "words")
            continue
        same((choice["finish_reason"], choice["message"]["content"]), ("tool_calls", None), custom_id)
        (call,) = choice["message"]["tool_calls"]
        same((call["type"], call["function"]["name"]), ("function", "weather"), f"the call of {custom_id}")
        arguments = json.loads(call["function"]["arguments"])  # with a schema the simulator makes them of that
        same(sorted(arguments), sorted(SCHEMA["required"] if custom_id == "schema" else ["town"]), f"arguments of {custom_id}")
        sure(call["id"], "its id")
        same((job["result"]["tool_calls"], "output" in job["result"], job["attempts"]), ([call], False, 1), "the job behind it")
    same(output["anthropic"]["response"]["body"]["model"].startswith("claude-haiku"), True, "who answered")
    shown = wait_for_status(api, key, start(api, key, lines([line("n", tools=[{"type": "custom"}]), line(
        "c", tool_choice="required")])), "failed")
    same([(one["code"], one["param"]) for one in shown["errors"]["data"]],
         [("invalid_value", "tools.0"), ("invalid_value", "tool_choice")], "what is wrong")


def dies(fleet, api, key):
    claim("a line whose job dies goes to the error file")
    fleet.control(fault="400@gpt-4o-mini=1,400@claude-haiku-4-5=1")
    batch = start(api, key, [line("good", model="gpt-4"), line("bad-1"), line("bad-2")])
    shown = wait_for_status(api, key, batch, "completed")
    fleet.control(fault="none=0")
    same(shown["request_counts"], {"total": 3, "completed": 1, "failed": 2}, "counts")
    output, errors = both(api, key, shown)
    same((set(output), set(errors)), ({"good"}, {"bad-1", "bad-2"}), "lines")
    for one in errors.values():
        same((one["error"], one["response"]["status_code"]), (None, 400), "the error")
        same(one["response"]["body"]["error"]["code"], "invalid_request", f"code of {one}")


def bad_lines(fleet, api, key):
    claim("bad lines fail the batch before anything runs, each with its number, what is wrong and where")
    before = fleet.number("SELECT count(*) FROM jobs")
    content = lines([line("a"), line("b"), line("a")]) + b"{nonsense\n\n" + lines([
        dict(line("u"), url="/v1/embeddings"), line("m", model="gpt-99"), line("n", n=2), line("t", typo=1),
        line("x", temperature=9), line("r", messages=[]), line("f", response_format={
            "type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}),
        line("s", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])])
    shown = wait_for_status(api, key, start(api, key, content), "failed")
    told = [(one["line"], one["code"], one["param"]) for one in shown["errors"]["data"]]
    same(told, [(3, "duplicate_custom_id", "custom_id"), (4, "invalid_json_line", None), (6, "invalid_url", "url"),
                (7, "model_not_found", "model"), (8, "unsupported_value", "n"), (9, "unsupported_parameter", "typo"),
                (10, "invalid_value", "temperature"), (11, "invalid_value", "messages"),
                (12, "invalid_value", "response_format.json_schema.schema"),
                (13, "invalid_value", "messages.0.content.0")], "what is wrong")
    sure(all(one["message"] for one in shown["errors"]["data"]), "in words")
    same((shown["request_counts"]["total"], shown["output_file_id"]), (0, None), "nothing ran")
    sure(shown["failed_at"], "when")
    for content, code in ((b"\n \n", "empty_file"), (lines([line("long", "x" * 1100000)]), "line_too_long"),
                          (b"".join(b"%d\n" % i for i in range(300)), "invalid_json_line")):
        shown = wait_for_status(api, key, start(api, key, content), "failed")
        same(shown["errors"]["data"][0]["code"], code, "code")
        sure(len(shown["errors"]["data"]) <= 100, "not too many are told")
    same(fleet.number("SELECT count(*) FROM jobs"), before, "jobs")
    same(fleet.number("SELECT count(*) FROM api_batch_lines l JOIN api_batches b USING (batch_id) WHERE b.state = 'failed'"), 0,
         "lines that are kept")


def bad_wishes(fleet, api, key):
    claim("a wish for a batch that can't be is refused, and says why")
    file = upload(api, key, lines([line("a")])).json["id"]
    for more, code, param in (({"endpoint": "/v1/embeddings"}, "invalid_value", "endpoint"),
                              ({"completion_window": "1h"}, "invalid_value", "completion_window"),
                              ({"input_file_id": None}, "missing_required_parameter", "input_file_id"),
                              ({"input_file_id": "file-x"}, "invalid_request", "input_file_id"),
                              ({"input_file_id": "file-" + "0" * 32}, "invalid_request", "input_file_id"),
                              ({"metadata": {"a": 1}}, "invalid_value", "metadata"),
                              ({"metadata": {"lane": "fast"}}, "invalid_value", "metadata"),
                              ({"metadata": {"feature": ""}}, "invalid_value", "metadata"),
                              ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "invalid_value",
                               "output_expires_after"),
                              ({"colour": "red"}, "unknown_parameter", None)):
        refusal(create(api, key, file, **more), 400, code, param)
    refusal(create(api, key, file, metadata={"business_unit": "claims"}), 403, "forbidden", "metadata")
    refusal(api.ask("POST", "/v1/batches", "{", key), 400, "invalid_json")
    several = make_key(fleet, "search", "claims")
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/files", key=several).status == 200)
    refusal(create(api, several, file), 400, "missing_required_parameter", "metadata")
    batch = create(api, several, file, metadata={"business_unit": "search"}).json["id"]
    same(wait_for_status(api, key, batch, "completed")["request_counts"]["completed"], 1, "lines done")
    refusal(api.ask("GET", "/v1/batches/batch_x", key=key), 404, None, "id")
    refusal(api.ask("GET", "/v1/batches/x" + "%F0%9D%91%BB" * 16, key=key), 404, None, "id")  # cut in mid-character
    refusal(api.ask("POST", "/v1/batches/batch_" + "0" * 32 + "/cancel", key=key), 404, None, "id")


def whose(fleet, api, key, batch):
    claim("a key of another unit sees no batch; a key's feature holds where the metadata name none")
    foreign = fleet.sluice("keys", "create", "--name", "x", "--business-unit", "support", "--feature", "chat").strip()
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/batches", key=foreign).status == 200)
    same(api.ask("GET", "/v1/batches", key=foreign).json["data"], [], "its list")
    refusal(api.ask("GET", f"/v1/batches/{batch}", key=foreign), 404, None, "id")
    refusal(api.ask("POST", f"/v1/batches/{batch}/cancel", key=foreign), 404, None, "id")
    file = show(api, key, batch)["input_file_id"]
    refusal(create(api, foreign, file), 400, "invalid_request", "input_file_id")
    own = start(api, foreign, [line("a")])
    wait_for_status(api, foreign, own, "completed")
    same(fleet.sql("SELECT business_unit, feature FROM ledger WHERE business_unit = 'support'"), [("support", "chat")],
         "what was booked")
    claim("pages of the list hold every batch once, newest first")
    seen, after, more = [], "", True
    while more:
        page = api.ask("GET", f"/v1/batches?limit=3{after}", key=key).json
        seen += [one["id"] for one in page["data"]]
        after, more = "&after=" + page["last_id"], page["has_more"]
    same(seen, sorted(set(seen), reverse=True), "order")
    same(len(seen), fleet.number("SELECT count(*) FROM api_batches WHERE business_unit = 'search'"), "batches")
    refusal(api.ask("GET", "/v1/batches?limit=101", key=key), 400, "invalid_value", "limit")
    claim("a client that asks again because it heard no answer gets the batch it made")
    wish = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
            "metadata": {"b": "1", "a": "2"}}
    made = [api.ask("POST", "/v1/batches", wish, key, x_stainless_retry_count=count).json["id"] for count in ("0", "1", "2")]
    same(len(set(made)), 1, "batches of one wish")
    other = api.ask("POST", "/v1/batches", dict(wish, metadata={"a": "1"}), key, x_stainless_retry_count="1").json["id"]
    sure(other not in made, "another wish is another batch")
    same(api.ask("POST", "/v1/batches", wish, key).json["id"] in made, False, "a wish that is not asked again")
    for one in (made[0], other):
        wait_for_status(api, key, one, "completed")


def cancels(fleet, api, key):
    claim("a batch that is cancelled runs no more: what had not ended is in the error file, and costs nothing")
    fleet.stop()
    before = fleet.number("SELECT count(*) FROM ledger")
    items = [line(f"c-{i}") for i in range(1500)]
    batch = start(api, key, items)
    wait_for_status(api, key, batch, "in_progress")
    wait_for(30, "some are jobs", lambda: fleet.number(
        f"SELECT admitted FROM api_batches WHERE batch_id = '{batch[6:]}'::uuid") >= 100, 0.05)
    answer = api.ask("POST", f"/v1/batches/{batch}/cancel", key=key)
    same((answer.status, answer.json["status"]), (200, "cancelling"), "the answer")
    shown = wait_for_status(api, key, batch, "cancelled")
    same(shown["request_counts"], {"total": 1500, "completed": 0, "failed": 0}, "counts")
    sure(shown["cancelling_at"] and shown["cancelled_at"], "when")
    output, errors = both(api, key, shown)
    same((len(output), len(errors)), (0, 1500), "lines")
    same({one["error"]["code"] for one in errors.values()}, {"batch_cancelled"}, "codes")
    same(api.ask("POST", f"/v1/batches/{batch}/cancel", key=key).json["status"], "cancelled", "once more")
    claim("one whose time is over expires: what had not ended is told as such")
    late = start(api, key, [line(f"e-{i}") for i in range(20)])
    wait_for_status(api, key, late, "in_progress")
    wait_for(30, "all are jobs", lambda: fleet.value(
        f"SELECT step FROM api_batches WHERE batch_id = '{late[6:]}'::uuid") == "watch")
    fleet.sql(f"UPDATE api_batches SET expires_at = now() WHERE batch_id = '{late[6:]}'::uuid")
    shown = wait_for_status(api, key, late, "expired")
    _, errors = both(api, key, shown)
    same({one["error"]["code"] for one in errors.values()}, {"batch_expired"}, "codes")
    same((len(errors), bool(shown["expired_at"])), (20, True), "lines, and when")
    fleet.start("one")
    wait_for(60, "nothing of them is left", lambda: fleet.number(
        "SELECT count(*) FROM jobs WHERE state NOT IN ('DONE', 'DEAD', 'CANCELLED')") == 0)
    same(fleet.number("SELECT count(*) FROM ledger"), before, "money spent on them")
    refusal(api.ask("POST", f"/v1/batches/{late}/cancel", key=key), 400, "invalid_request")


def crashes(fleet, api, key):
    claim("whoever dies, and whenever: every line is one job, and is answered once")
    api.stop()
    spare = Api(fleet, "spare")
    for point in ("R01=crash@3", "R02=crash@7", "A01=crash"):
        dying = Api(fleet, "dying")
        dying.start(failpoints=point)
        items = [line(f"{point}-{i}") for i in range(1200)]
        batch = start(dying, key, items)
        wait_for(60, f"it dies at {point}", lambda: dying.process.poll() is not None)
        spare.start()
        check_once(fleet, spare, key, batch, items)
        spare.stop()
    claim("two processes, one of which is killed now and then, lose and double nothing")
    spare.start()
    stopping = threading.Event()
    deaths = [0]

    def kill_now_and_then():
        while not stopping.is_set():
            dying = Api(fleet, "dying").start()
            stopping.wait(1.5)
            dying.process.kill()
            dying.process.wait()
            deaths[0] += 1

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    items = {start(spare, key, made): made for made in ([line(f"k{b}-{i}") for i in range(1500)] for b in range(4))}
    for batch, made in items.items():
        check_once(fleet, spare, key, batch, made, 240)
    stopping.set()
    killer.join()
    say(f"{deaths[0]} deaths")
    spare.stop()
    api.start()


def check_once(fleet, api, key, batch, items, seconds=120):
    shown = wait_for_status(api, key, batch, "completed", seconds=seconds)
    output, errors = both(api, key, shown)
    same((len(errors), set(output)), (0, {item["custom_id"] for item in items}), "lines")
    ids = [one["response"]["request_id"] for one in output.values()]
    same(len(set(ids)), len(items), "jobs")
    made = fleet.number("SELECT count(*) FROM payloads WHERE convert_from(body, 'UTF8')::json->'metadata'->>'batch_id' = "
                        f"'{batch}'")
    same(made, len(items), "jobs of the batch")


def limits(fleet, api):
    claim("a batch waits for its key's limit instead of being refused, and leaves room for requests")
    key = make_key(fleet, "search", limit=600)
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/batches", key=key).status == 200)
    began = time.monotonic()
    batch = start(api, key, [line(f"l-{i}") for i in range(700)])
    shown = wait_for_status(api, key, batch, "completed", seconds=120)
    took = time.monotonic() - began
    same(shown["request_counts"]["completed"], 700, "lines done")
    sure(took > 15, f"700 lines of a key with 600 a minute took only {took:.1f} s")
    say(f"700 lines of a key with 600 a minute: {took:.1f} s, no 429")


def processor(api):
    """Seconds it has used."""
    with open(f"/proc/{api.process.pid}/stat", encoding="utf-8") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def largest(fleet, api, key):
    claim(f"a batch of {LINES} lines becomes jobs in bounded memory; 50,001 are too many")
    fleet.stop()
    items = [line(f"big-{i}", "x" * LENGTH) for i in range(LINES)]
    content = lines(items)
    with Watch(api.process.pid) as memory:
        began, used = time.monotonic(), processor(api)
        batch = start(api, key, content)
        wait_for_status(api, key, batch, "in_progress", seconds=180)
        checked, checking = time.monotonic() - began, processor(api) - used
        wait_for(300, "all are jobs", lambda: fleet.value(
            f"SELECT step FROM api_batches WHERE batch_id = '{batch[6:]}'::uuid") == "watch", 0.5)
        admitted, admitting = time.monotonic() - began, processor(api) - used
    say(f"{len(content) / 1e6:.0f} MB in {LINES} lines: uploaded and checked in {checked:.1f} s ({checking:.1f} s of "
        f"processor), all jobs after {admitted:.1f} s ({admitting:.1f} s); {memory.added >> 10} KiB more memory")
    sure(memory.added < 96 << 20, "the memory is bounded")
    api.ask("POST", f"/v1/batches/{batch}/cancel", key=key)
    shown = wait_for_status(api, key, batch, "cancelled", seconds=120)
    same(len(read(api, key, shown["error_file_id"])), LINES, "lines of the error file")
    over = wait_for_status(api, key, start(api, key, lines([line(f"{i}") for i in range(50_001)])), "failed", seconds=120)
    same([one["code"] for one in over["errors"]["data"]], ["too_many_tasks"], "what is wrong")


def main():
    with Fleet("test_openai_batches", config=CONFIG) as fleet:
        fleet.start("one")
        key = make_key(fleet, "search", rights=("submit", "read"))
        reader = make_key(fleet, "search")
        api = Api(fleet).start()
        wait_for(5, "the keys are known", lambda: api.ask("GET", "/v1/batches", key=reader).status == 200)
        batch = runs(fleet, api, key)
        tools(fleet, api, key)
        dies(fleet, api, key)
        bad_lines(fleet, api, key)
        bad_wishes(fleet, api, key)
        whose(fleet, api, key, batch)
        limits(fleet, api)
        crashes(fleet, api, key)
        cancels(fleet, api, key)
        largest(fleet, api, key)
        api.stop()


if __name__ == "__main__":
    main()
