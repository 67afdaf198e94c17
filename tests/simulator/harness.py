"""Starts the simulator on a free port and talks to it; shared by its test scripts."""
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("SIMULATOR", "simulator")
SHARED = os.environ.get("SHARED_DATA", "")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Simulator:
    """with Simulator("--fault", "500=1") as sim: sim.chat("hello")"""

    def __init__(self, *options):
        self.directory = tempfile.TemporaryDirectory()
        self.bill_path = os.path.join(self.directory.name, "bill")
        self.process = subprocess.Popen(
            [PROGRAM, "--port", "0", "--bill", self.bill_path, *options],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        self.port = int(re.fullmatch(r"listening 127\.0\.0\.1:(\d+)\n", ready).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.directory.cleanup()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(10)
        self.process.stdout.close()
        assert code == 0, f"the simulator ended with {code}"

    def send(self, method, path, body=None, headers=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()},
                          answer.read())
        finally:
            connection.close()

    def openai(self, body, path="/v1/chat/completions", key="k", id="c-1", method="POST", **more):
        headers = {"Authorization": f"Bearer {key}", "X-Client-Request-Id": id,
                   "Content-Type": "application/json"}
        return self.send(method, path, body, headers, **more)

    def anthropic(self, body, path="/v1/messages", key="k", id="c-1", method="POST", **more):
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01",
                   "X-Client-Request-Id": id, "Content-Type": "application/json"}
        return self.send(method, path, body, headers, **more)

    def chat(self, text, model="gpt-4o-mini", fields=None, **more):
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        return self.openai(body | (fields or {}), **more)

    def message(self, text, model="claude-haiku-4-5", fields=None, **more):
        body = {"model": model, "max_tokens": 1000,
                "messages": [{"role": "user", "content": text}]}
        return self.anthropic(body | (fields or {}), **more)

    def control(self, **order):
        answer = self.send("POST" if order else "GET", "/control", order or None)
        assert answer.status == 200, answer.body
        return answer.json

    def raw(self, request, timeout=5, most=1 << 20):
        """Send bytes as they are; what came back, and how it ended: closed, reset or silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(request)
            received = b""
            try:
                while len(received) < most:
                    piece = connection.recv(65536)
                    if not piece:
                        return received, "closed"
                    received += piece
            except ConnectionResetError:
                return received, "reset"
            except TimeoutError:
                return received, "silent"
        return received, "closed"

    def raw_chat(self, text, timeout=5, id="c-1", fields=None):
        body = json.dumps({"model": "gpt-4o-mini",
                           "messages": [{"role": "user", "content": text}]} | (fields or {}))
        return self.raw((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                         f"Authorization: Bearer k\r\nX-Client-Request-Id: {id}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n{body}").encode(), timeout)

    def bill(self):
        """The bill so far: accepted calls, and how those ended, by request id."""
        accepted, ended = [], {}
        with open(self.bill_path) as file:
            for line in map(json.loads, file):
                if "delivered" in line:
                    ended[line["request"]] = line
                else:
                    accepted.append(line)
        return accepted, ended


SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["spam", "ham"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "reason": {"type": ["string", "null"]},
    },
    "required": ["label", "score", "reason"],
    "additionalProperties": False,
}


def json_schema(schema=None, name="classification"):
    return {"response_format": {"type": "json_schema", "json_schema": {
        "name": name, "strict": True, "schema": schema or SCHEMA}}}


def events(body):
    """The data of server-sent events: JSON values and [DONE]."""
    found = []
    for line in body.decode().split("\n"):
        if line.startswith("data: "):
            found.append(line[6:] if line[6:] == "[DONE]" else json.loads(line[6:]))
    return found


def shape_differs(ours, golden, path="$"):
    """Where ours lacks a member of golden, or has another type there; None: nowhere."""
    if golden is None or ours is None:
        return None
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array",
             dict: "object"}
    if kinds[type(ours)] != kinds[type(golden)]:
        return f"{path} is {type(ours).__name__}, not {type(golden).__name__}"
    if isinstance(golden, dict):
        for name, value in golden.items():
            if name not in ours:
                return f"{path}.{name} is missing"
            difference = shape_differs(ours[name], value, f"{path}.{name}")
            if difference:
                return difference
    if isinstance(golden, list) and golden and ours:
        return shape_differs(ours[0], golden[0], path + "[0]")
    return None


def golden(path):
    """A golden body's text, or None with a word about it where the shared data are absent."""
    full = os.path.join(SHARED, "provider-data", "examples", path)
    if not os.path.exists(full):
        print(f"skipped: no golden {path}", file=sys.stderr)
        return None
    with open(full) as file:
        return file.read()
