"""A batch by the official OpenAI package for Python; the environment says where, and with which key."""
import json
import os
import time

import openai

client = openai.OpenAI()
foreign = openai.OpenAI(api_key=os.environ["FOREIGN_KEY"])
SCHEMA = {"type": "object", "required": ["spam"], "additionalProperties": False, "properties": {"spam": {"type": "boolean"}}}


TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}


def request(custom_id, **more):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"Is {custom_id} spam?"}], **more}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def upload(name, items):
    path = os.path.join(os.environ["DIRECTORY"], name)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items)
    with open(path, "rb") as file:
        return client.files.create(file=file, purpose="batch")


def start(file, **more):
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                                 metadata={"feature": "nightly"}, **more)


def wait(batch, *statuses):
    deadline = time.monotonic() + 60
    while batch.status not in statuses:
        assert time.monotonic() < deadline and batch.status in ("validating", "in_progress", "finalizing", "cancelling"), batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    return batch


def refused(kind, call, words):
    try:
        call()
    except kind as error:
        assert words in str(error), error
        return error
    raise AssertionError(f"nothing was raised: {words}")


def whole():
    form = {"type": "json_schema", "json_schema": {"name": "spam", "strict": True, "schema": SCHEMA}}
    items = [request(f"text-{i}") for i in range(20)] + [request(f"json-{i}", response_format=form) for i in range(20)]
    items.append(request("tool", tools=[TOOL], tool_choice={"type": "function", "function": {"name": "look"}}))
    file = upload("input.jsonl", items)
    assert (file.object, file.purpose, file.filename, file.status) == ("file", "batch", "input.jsonl", "processed"), file
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).text == "".join(json.dumps(item) + "\n" for item in items)
    batch = start(file)
    assert (batch.object, batch.status, batch.input_file_id) == ("batch", "validating", file.id), batch
    batch = wait(batch, "completed")
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (41, 41, 0), counts
    assert batch.metadata == {"feature": "nightly"} and batch.errors is None and batch.error_file_id is None
    seen = {}
    for text in client.files.content(batch.output_file_id).text.splitlines():
        line = json.loads(text)
        answer = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
        assert line["response"]["status_code"] == 200 and line["error"] is None
        assert answer.usage.total_tokens > 0
        seen[line["custom_id"]] = answer.choices[0].message.content
        if line["custom_id"] != "tool":
            assert answer.choices[0].finish_reason == "stop"
            continue
        call = answer.choices[0].message.tool_calls[0]
        assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "look"), answer
        assert isinstance(json.loads(call.function.arguments)["spam"], bool)
    assert set(seen) == {item["custom_id"] for item in items}
    assert all(isinstance(json.loads(seen[f"json-{i}"])["spam"], bool) for i in range(20))
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens > 0
    print(f"{len(seen)} lines answered; usage {batch.usage.total_tokens} tokens")
    return file, batch


def lists(file, batch):
    ids = [one.id for one in client.files.list(limit=1)]  # pages by itself
    assert file.id in ids and batch.output_file_id in ids and len(ids) == len(set(ids)), ids
    assert [one.id for one in client.files.list(purpose="batch_output")] == [batch.output_file_id]
    assert [one.id for one in client.batches.list(limit=1)] == [batch.id]
    other = start(file)
    assert [one.id for one in client.batches.list(limit=1)] == [other.id, batch.id]
    wait(other, "completed")


def bad():
    batch = wait(start(upload("bad.jsonl", [request("a"), "{", request("a"), request("m", model="gpt-99"), request("n", n=3)])), "failed")
    told = [(one.line, one.code) for one in batch.errors.data]
    assert told == [(2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "model_not_found"), (5, "unsupported_value")], told
    assert "gpt-99" in batch.errors.data[2].message and batch.request_counts.total == 0
    refused(openai.BadRequestError, lambda: client.files.create(file=("a.json", b"{}"), purpose="batch"), ".jsonl")
    refused(openai.BadRequestError, lambda: client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune"), "purpose")
    refused(openai.NotFoundError, lambda: client.files.retrieve("file-nope"), "No such File object")
    refused(openai.NotFoundError, lambda: client.batches.retrieve("batch_nope"), "No batch found")
    refused(openai.BadRequestError, lambda: client.batches.create(
        input_file_id="file-nope", endpoint="/v1/chat/completions", completion_window="24h"), "Cannot find file")
    error = refused(openai.AuthenticationError, openai.OpenAI(api_key="sk-nothing").files.list, "key")
    assert error.code == "invalid_api_key", error
    print(f"{len(told)} bad lines told")


def cancel(file):
    batch = client.batches.cancel(start(file).id)
    assert batch.status in ("cancelling", "cancelled"), batch
    batch = wait(batch, "cancelled")
    assert batch.cancelled_at and batch.cancelling_at, batch
    refused(openai.BadRequestError, lambda: client.batches.cancel(client.batches.list().data[-1].id), "Cannot cancel")


def others(file, batch):
    assert list(foreign.files.list()) == [] and list(foreign.batches.list()) == []
    refused(openai.NotFoundError, lambda: foreign.files.content(file.id), "No such File")
    refused(openai.NotFoundError, lambda: foreign.files.delete(file.id), "No such File")
    refused(openai.NotFoundError, lambda: foreign.batches.retrieve(batch.id), "No batch")
    refused(openai.NotFoundError, lambda: foreign.batches.cancel(batch.id), "No batch")


def main():
    file, batch = whole()
    lists(file, batch)
    bad()
    cancel(file)
    others(file, batch)
    assert client.files.delete(file.id).deleted
    refused(openai.NotFoundError, lambda: client.files.content(file.id), "No such File")
    print(f"openai {openai.__version__}")


main()
