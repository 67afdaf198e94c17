"""What the Python integration tests share: a stack of its own, workers as processes, jobs in and
outcomes out through kcat, rows through psql. Python's own library only.

    from fleet import Fleet, claim, same

    with Fleet("test_x", simulator=["--fault", "500=0.05"]) as fleet:
        fleet.start("one")
        claim("every job ends once")
        ids = fleet.produce([fleet.job(i) for i in range(1000)])
        fleet.wait_for_ends(len(ids), 60)
        promises.check(fleet, ids)

SLUICE_TEST_KAFKA=real takes Apache Kafka instead of the embedded broker. After a failure the ends
of the logs are shown; KEEP=1 leaves the directory.
"""
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

SOURCE = os.environ.get("SLUICE_SOURCE") or os.path.realpath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("SLUICE_BUILD") or os.path.join(SOURCE, "build")
SLUICE = os.path.join(BUILD, "sluice")
STACK = os.path.join(SOURCE, "scripts", "stack")
KAFKA = os.environ.get("SLUICE_TEST_KAFKA", "embedded")

TIERS = ("economy", "standard", "frontier")
UNITS = ("claims", "search", "support")
SCHEMA = {
    "type": "object",
    "required": ["label", "score", "reason"],
    "additionalProperties": False,
    "properties": {
        "label": {"type": "string", "enum": ["spam", "ham"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "reason": {"type": ["string", "null"]},
    },
}
BEGAN = time.monotonic()

Message = collections.namedtuple("Message", "topic partition offset key headers body")


class Failed(Exception):
    """A claim that does not hold."""


def say(*words):
    print(f"{time.monotonic() - BEGAN:6.1f} s ", *words, flush=True)


def claim(text):
    """What is about to be shown; printed so that a failure says which claim fell."""
    say("---", text)


def same(actual, expected, what):
    if actual != expected:
        raise Failed(f"{what}: expected {expected!r}, got {actual!r}")


def sure(truth, what):
    if not truth:
        raise Failed(what)


def wait_for(seconds, what, condition, every=0.1):
    """Until the condition is true; its value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(every)


def free_port():
    """Outside the range the kernel hands out by itself, so that it is free again after a crash."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Worker:
    """One `sluice worker`, started again under the same name as often as wanted."""
    program = SLUICE
    wrapper = ()  # words before the program, that end in its place: "prlimit --nofile=64"

    def __init__(self, fleet, name):
        self.fleet, self.name = fleet, name
        self.port = free_port()
        self.log = os.path.join(fleet.directory, f"worker-{name}.log")
        self.process = None

    def start(self, failpoints=None, wait=True):
        env = dict(os.environ, SLUICE_CONFIG=self.fleet.config_path)
        if failpoints:
            env["SLUICE_FAILPOINTS"] = failpoints
            env["SLUICE_FAILPOINT_LOG"] = self.fleet.failpoint_log
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, self.program, *self.words()], env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            wait_for(30, f"worker {self.name} is ready", self.is_ready)
        return self

    def words(self):
        return ["worker", "--listen", f"127.0.0.1:{self.port}"]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def is_ready(self):
        sure(self.is_running(), f"worker {self.name} ended by itself")
        return self.get("/readyz")[0] == 200

    def get(self, path):
        """Status and text; (0, why) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name, **labels):
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            if (head == name or head.startswith(name + "{")) and all(
                    f'{label}="{text}"' in head for label, text in labels.items()):
                total += float(value)
        return total

    def has_partitions(self):
        """What its log says last of its seat in the group."""
        with open(self.log, errors="replace") as log:
            told = [line for line in log
                    if "event=worker_started" in line or "event=kafka_assigned" in line
                    or "event=kafka_revoked" in line]
        return bool(told) and "event=kafka_assigned" in told[-1]

    def calls_open(self):
        return int(self.metric("sluice_jobs_held", state="CALLING"))

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds):
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"worker {self.name} does not end within {seconds} s") from None

    def logged(self, text):
        """How many lines of its log hold the text."""
        with open(self.log, errors="replace") as log:
            return sum(text in line for line in log)


class Fleet:
    """The stack, a configuration, and workers by name."""

    def __init__(self, name, kafka=KAFKA, simulator=(), partitions=4, config=None, prefix="sluice"):
        self.name, self.kafka = name, kafka
        self.directory = tempfile.mkdtemp(prefix=f"sluice-{name}.")
        os.chmod(self.directory, 0o755)
        self.stack_directory = os.path.join(self.directory, "stack")
        self.config_path = os.path.join(self.directory, "sluice.json")
        self.failpoint_log = os.path.join(self.directory, "fired")
        self.simulator_options = list(simulator)
        self.partitions, self.prefix = partitions, prefix
        self.changes = config or {}
        self.workers = {}
        self.others = []  # processes that are ended with the stack
        self.serial = 0
        self.seed = uuid.uuid4().int

    # --- life ---

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._end(False)
            raise
        return self

    def __exit__(self, kind, error, trace):
        good = self._end(kind is None)
        if kind is Failed:
            print(f"FAILED: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        if kind is None:
            sure(good, "the stack did not end well")
            say(f"{self.name} on {self.kafka} Kafka: passed")

    def topics(self):
        return [f"{self.prefix}.{tier}.{lane}" for tier in TIERS for lane in ("express", "normal")]

    def _start(self):
        command = [STACK, "start", "--dir", self.stack_directory, "--for", str(os.getpid()),
                   "--build", BUILD, "--kafka", self.kafka, "--partitions", str(self.partitions),
                   "--group", "sluice-workers"]
        topics = ["sluice.replies.test"]
        if self.kafka == "embedded":
            topics += self.topics() + [f"{self.prefix}.results", f"{self.prefix}.dead"]
        for topic in topics:
            command += ["--topic", topic]
        self.run(command + ["--"] + self.simulator_options)
        self._read_env()
        self.write_config()
        self.sluice("migrate")
        if self.kafka != "embedded":
            self.sluice("topics", "create")
        say(f"the stack is up, with {self.kafka} Kafka")

    def _read_env(self):
        text = subprocess.run(["bash", "-c", f". {self.stack_directory}/env && env -0"],
                              stdout=subprocess.PIPE, check=True, text=True).stdout
        env = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
        self.brokers, self.postgres = env["KAFKA_BROKERS"], env["POSTGRES_URL"]
        self.simulator_url, self.bill_path = env["SIMULATOR_URL"], env["SIMULATOR_BILL"]

    def _end(self, good):
        if not good:
            self._show_rows()
            self._show_logs()
        for worker in self.workers.values():
            if worker.is_running():
                worker.kill()
        for process in self.others:
            if process.poll() is None:
                process.kill()
        if good and self.kafka == "embedded":
            # A pass on messages that the embedded broker dropped is none.
            subprocess.run([STACK, "tell", "look", "--dir", self.stack_directory], check=False,
                           capture_output=True)
        stopped = subprocess.run([STACK, "stop", "--dir", self.stack_directory], check=False)
        if os.environ.get("KEEP"):
            print(f"kept: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        return stopped.returncode == 0

    def _show_rows(self):
        """What was unfinished."""
        for words in (["status"], ["topics", "list"]):
            shown = subprocess.run([SLUICE, *words], check=False, capture_output=True, text=True,
                                   env=dict(os.environ, SLUICE_CONFIG=self.config_path))
            print(f"=== sluice {' '.join(words)}\n{shown.stdout}{shown.stderr}", file=sys.stderr)

    def _show_logs(self):
        for folder in (self.directory, self.stack_directory):
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                path = os.path.join(folder, name)
                if not name.endswith(".log") or os.path.getsize(path) == 0:
                    continue
                with open(path, errors="replace") as log:
                    lines = log.readlines()
                lines = [line for line in lines if " event=call " not in line][-25:]
                print(f"=== the end of {name}\n" + "".join(line[:500] for line in lines),
                      file=sys.stderr, flush=True)

    def stack(self, *words):
        self.run([STACK, *words, "--dir", self.stack_directory])

    # --- configuration ---

    def write_config(self, name="sluice.json", **changes):
        """Returns its path; changes hold for this one file."""
        path = os.path.join(self.directory, name)
        config = {
            "version": 1,
            "kafka": {
                "brokers": self.brokers,
                "prefix": self.prefix,
                "partitions": self.partitions,
                "options": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                            "fetch.wait.max.ms": 50},
                "max_message_bytes": "1MiB",
            },
            "postgres": {"url": self.postgres},
            "worker": {
                "grace": "5s",
                "spool_dir": os.path.join(self.directory, "spool"),
                "throttled": {"first": "50ms", "longest": "500ms", "max_tries": 8},
                "unavailable": {"first": "50ms", "longest": "500ms", "max_tries": 3},
                "breaker": {"share": 0.8, "window": "10s", "min_calls": 50, "probe_after": "1s"},
            },
            "providers": {
                name: {"dialect": name, "base_url": self.simulator_url + "/v1",
                       "key": "test", "connect_timeout": "2s", "first_byte_timeout": "60s",
                       "idle_timeout": "10s", "total_timeout": "60s"}
                for name in ("openai", "anthropic")},
            "tiers": [
                {"name": "economy", "pick": "cheapest", "candidates": [
                    {"provider": "openai", "model": "gpt-4o-mini"},
                    {"provider": "anthropic", "model": "claude-haiku-4-5"}]},
                {"name": "standard", "candidates": [
                    {"provider": "anthropic", "model": "claude-sonnet-5"},
                    {"provider": "openai", "model": "gpt-5.6-terra"}]},
                {"name": "frontier", "candidates": [
                    {"provider": "anthropic", "model": "claude-opus-5"},
                    {"provider": "openai", "model": "gpt-5.6-sol"}]},
            ],
            "defaults": {"min_confidence": 0.5, "max_output_tokens": 300},
        }
        merge(config, self.changes)
        merge(config, changes)
        with open(path, "w") as file:
            json.dump(config, file, indent=1)
        return path

    # --- programs ---

    def run(self, command, input=None, good=(0,)):
        done = subprocess.run(command, input=input, capture_output=True, check=False,
                              env=dict(os.environ, SLUICE_CONFIG=self.config_path))
        if done.returncode not in good:
            raise Failed(f"{' '.join(command[:4])} … ended with {done.returncode}: "
                         f"{(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
        return done.stdout.decode()

    def sluice(self, *words, **more):
        return self.run([SLUICE, *words], **more)

    def start(self, *names, **more):
        """Workers of these names, ready to work."""
        for name in names:
            self.workers.setdefault(name, Worker(self, name)).start(wait=False, **more)
        for name in names:
            worker = self.workers[name]
            wait_for(30, f"worker {name} is ready", worker.is_ready)
        return [self.workers[name] for name in names]

    def stop(self):
        """All of them, by SIGTERM."""
        running = [worker for worker in self.workers.values() if worker.is_running()]
        for worker in running:
            worker.term()
        for worker in running:
            same(worker.wait(30), 0, f"exit code of worker {worker.name}")

    def sql(self, query):
        """Rows as tuples of texts; None for NULL."""
        text = self.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", "\x1f",
                         "-R", "\x1e", "-P", "null=\x1d", self.postgres, "-c",
                         "SET search_path = sluice", "-c", query])
        text = text.removesuffix("\n")
        rows = text.split("\x1e") if text else []
        return [tuple(None if cell == "\x1d" else cell for cell in row.split("\x1f"))
                for row in rows]

    def value(self, query):
        rows = self.sql(query)
        return rows[0][0] if rows else None

    def number(self, query):
        return int(self.value(query))

    def control(self, **order):
        """Ask the simulator what it saw, or order it to behave otherwise."""
        request = urllib.request.Request(self.simulator_url + "/control",
                                         json.dumps(order).encode() if order else None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    # --- jobs ---

    def job(self, text="Is this spam?", tier="economy", lane="normal", **more):
        """An envelope with an id of its own, and where it goes; more members replace ours."""
        self.serial += 1
        made = {
            "version": 1,
            "job_id": str(uuid.UUID(int=(self.seed + self.serial * 0x9E3779B97F4A7C15) % (1 << 128),
                                    version=4)),
            "business_unit": UNITS[self.serial % len(UNITS)],
            "feature": "inbox",
            "environment": "test",
            "prompt": {"name": "spam", "version": "3", "messages": [
                {"role": "user", "content": f"{text} (message {self.serial})"}]},
            "output": {"type": "json_schema", "schema": SCHEMA},
        }
        made.update(more)
        return f"{self.prefix}.{tier}.{lane}", {k: v for k, v in made.items() if v is not None}

    def produce(self, jobs, headers=()):
        """Pairs of topic and job; spread over the topics' partitions by id. Returns the ids."""
        by_topic = collections.defaultdict(list)
        for topic, job in jobs:
            by_topic[topic].append(job["job_id"] + "\t" + json.dumps(job))
        for topic, lines in by_topic.items():
            self.produce_lines(topic, lines, headers, ["-K", "\t"])
        return [job["job_id"] for _, job in jobs]

    def produce_lines(self, topic, lines, headers=(), options=()):
        command = ["kcat", "-P", "-q", "-b", self.brokers, "-t", topic, "-X", "acks=all", *options]
        for name, value in headers:
            command += ["-H", f"{name}={value}"]
        self.run(command, input=("\n".join(lines) + "\n").encode())

    def produce_bytes(self, topic, bodies, options=()):
        """Any bytes, a message each, in this order where options name a partition."""
        paths = []
        for i, body in enumerate(bodies):
            paths.append(os.path.join(self.directory, f"message-{i}"))
            with open(paths[-1], "wb") as file:
                file.write(body)
        self.run(["kcat", "-P", "-b", self.brokers, "-t", topic, "-X", "acks=all",
                  "-X", "message.max.bytes=12000000", *options, *paths])

    def consume(self, topic):
        """All messages of a topic that is given without our prefix, or in full."""
        topic = topic if "." in topic else f"{self.prefix}.{topic}"
        text = self.run(["kcat", "-C", "-e", "-q", "-J", "-b", self.brokers, "-t", topic,
                         "-o", "beginning", "-X", "fetch.message.max.bytes=12000000"])
        found = []
        for line in text.splitlines():
            read = json.loads(line)
            headers = read.get("headers") or []
            found.append(Message(read["topic"], read["partition"], read["offset"], read.get("key"),
                                 dict(zip(headers[0::2], headers[1::2])), read["payload"]))
        return found

    def ended(self):
        return self.number("SELECT count(*) FROM results")

    def wait_for_ends(self, count, seconds):
        """Until so many runs have ended and everything owed to the outside is paid."""
        wait_for(seconds, f"{count} runs have ended", lambda: self.ended() >= count, 0.3)
        wait_for(60, "the outbox is empty",
                 lambda: self.number("SELECT count(*) FROM outbox") == 0, 0.3)


def merge(into, changes):
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        elif value is None:
            into.pop(name, None)
        else:
            into[name] = value
