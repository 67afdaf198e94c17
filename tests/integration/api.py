"""`sluice api` as a process, and what tests ask it: shared by those of the REST shim.

    key = make_key(fleet, "search")
    api = Api(fleet).start()
    same(api.ask("POST", "/v1/jobs", job(), key).status, 202, "status")
"""
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from fleet import SLUICE, free_port, same, sure, wait_for


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    """One `sluice api`."""

    def __init__(self, fleet, name="api", config=None):
        self.fleet, self.port, self.config = fleet, free_port(), config
        self.log = os.path.join(fleet.directory, f"{name}.log")
        self.process = None

    def start(self, failpoints=None):
        env = dict(os.environ, SLUICE_CONFIG=self.config or self.fleet.config_path)
        if failpoints:
            env["SLUICE_FAILPOINTS"] = failpoints
            env["SLUICE_FAILPOINT_LOG"] = self.fleet.failpoint_log
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [SLUICE, "api", "--listen", f"127.0.0.1:{self.port}"], env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.fleet.others.append(self.process)
        wait_for(30, "the api is ready", lambda: self.ask("GET", "/readyz").status == 200)
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        same(self.process.wait(20), 0, "exit code of the api")

    def ask(self, method, path, body=None, key=None, **headers):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=body.encode() if isinstance(body, str) else body,
            headers={name.replace("_", "-"): text for name, text in headers.items()})
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=70) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())
        except OSError as error:
            return Answer(0, {}, str(error).encode())

    def raw(self, data, seconds=5):
        """What comes back for these bytes, until it hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as sock:
            sock.sendall(data)
            got = b""
            try:
                while piece := sock.recv(65536):
                    got += piece
            except (TimeoutError, ConnectionError):
                pass
            return got


def make_key(fleet, *units, rights=("submit", "read", "costs", "operate"), limit=None,
             tokens=None):
    words = ["keys", "create", "--name", "test"]
    for unit in units:
        words += ["--business-unit", unit]
    for right in rights:
        words += ["--right", right]
    if limit:
        words += ["--requests-per-minute", str(limit)]
    if tokens:
        words += ["--tokens-per-minute", str(tokens)]
    return fleet.sluice(*words).strip()


def job(text="Say hello", **more):
    made = {"business_unit": "search", "prompt": {"messages": [{"role": "user", "content": text}]},
            "routing": {"tier": "economy"}}
    made.update(more)
    return made


def problem(answer, status, code):
    same(answer.status, status, f"status of {answer.body[:300]}")
    same(answer.headers["Content-Type"], "application/problem+json", "content type")
    same(answer.json["type"], f"urn:sluice:problem:{code}", "type of problem")
    same(answer.json["status"], status, "status in the problem")
    sure(answer.json["detail"], "a problem says what is wrong")
    same(answer.json["instance"], answer.headers["X-Request-Id"], "the request's id")
