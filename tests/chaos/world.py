"""A world to be broken: the fleet of the integration tests with what a campaign wants beside it,
proxies in front of everything, a watch on the committed offsets, and a diary of what was done for
the oracle.

    with World("kill-claim", seed, directory) as world:
        world.start("judge")
        world.start_victim("one", "K03=crash@2")
        world.submit(200)
        world.settle_down()
        report = world.judge(calls_once=False)
"""
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import fleet as base  # noqa: E402
from fleet import Failed, Fleet, say, sure, wait_for  # noqa: E402,F401
from offsets import OffsetReader, Watch  # noqa: E402
from proxy import Proxy  # noqa: E402

GROUP = "sluice-workers"
# Everything is slower on a machine that does other things as well; deadlines, not sleeps.
PATIENCE = float(os.environ.get("CHAOS_PATIENCE", 2))
REPAIR = 45  # seconds until the jobs of a dead worker are somebody's again, with a margin
CONFIG = {"kafka": {"options": {"session.timeout.ms": 3000}},
          "worker": {"grace": "8s", "max_in_flight": 32},
          "defaults": {"max_output_tokens": 4000}}  # answers are never cut off by chance


class World(Fleet):
    def __init__(self, name, seed, kafka="embedded", simulator=(), config=None, proxies=(),
                 partitions=4):
        self.dice = random.Random(f"{seed} {name}")
        options = ["--seed", str(self.dice.randrange(1 << 31)), *simulator]
        merged = json.loads(json.dumps(CONFIG))
        base.merge(merged, config or {})
        super().__init__(name, kafka=kafka, simulator=options, partitions=partitions, config=merged)
        self.seed = self.dice.getrandbits(128)
        self.kinds, self.proxies = proxies, {}
        self.submitted, self.cancelled = {}, {}
        self.poison, self.conflicts = [], []
        self.lost_pids, self.fired = set(), collections.Counter()
        self.healed = self.took = None
        self.bound = REPAIR * PATIENCE + 60
        self.victims, self.broken, self.watches = {}, False, []
        self.cut = []  # messages that were deleted from their topics

    # --- life ---

    def __exit__(self, kind, error, trace):
        for proxy in self.proxies.values():
            proxy.close()
        for watch in self.watches:
            watch.stop()
        if kind is not None or self.broken:
            os.environ["KEEP"] = "1"
        for worker in self.workers.values():
            if worker.is_running():
                worker.process.send_signal(signal.SIGCONT)
        good = self._end(kind is None)
        if kind is None:
            sure(good, "the stack did not end well; the embedded broker may have dropped messages")

    def _read_env(self):
        super()._read_env()
        self.direct = {"postgres": self.postgres, "brokers": self.brokers,
                       "simulator": self.simulator_url}
        for kind in self.kinds:
            url = urllib.parse.urlsplit({"postgres": self.postgres,
                                         "kafka": "kafka://" + self.brokers,
                                         "provider": self.simulator_url}[kind])
            self.proxies[kind] = Proxy(kind, (url.hostname, url.port), self.dice.random())
        path = os.path.join(self.directory, "offsets")
        self.watches = [Watch(OffsetReader(self.brokers, group), self.topic_sizes(topics), path)
                        for group, topics in self.groups().items()]

    def write_config(self):
        """The workers go through the proxies; we do not."""
        changed = {}
        if "postgres" in self.proxies:
            url = urllib.parse.urlsplit(self.postgres)
            host, port = self.proxies["postgres"].address
            self.changes["postgres"] = {"url": url._replace(
                netloc=f"{url.username}:{url.password}@{host}:{port}").geturl()}
        if "kafka" in self.proxies:
            changed["brokers"] = "%s:%d" % self.proxies["kafka"].address
        if "provider" in self.proxies:
            host, port = self.proxies["provider"].address
            for name in ("openai", "anthropic"):
                self.changes.setdefault("providers", {}).setdefault(name, {})["base_url"] = \
                    f"http://{host}:{port}/v1"
        self.changes.setdefault("kafka", {}).update(changed)
        super().write_config()

    def groups(self):
        """Who reads what."""
        return {GROUP: self.topics()}

    def topic_sizes(self, topics=None):
        return {topic: self.partitions for topic in topics or self.topics()}

    # --- workers ---

    def start_victim(self, name, failpoints, wait=True):
        """A worker that will meet its failpoint; it and its like are not waited for."""
        worker = self.workers.setdefault(name, base.Worker(self, name))
        worker.start(failpoints=failpoints, wait=False)
        self.victims[name] = worker
        if wait:
            wait_for(30 * PATIENCE, f"worker {name} is ready",
                     lambda: not worker.is_running() or worker.is_ready())
        return worker

    def kill(self, worker, why="kill -9"):
        self.lost_pids.add(worker.process.pid)
        worker.kill()
        self.fired[why] += 1

    def freeze(self, worker):
        self.lost_pids.add(worker.process.pid)
        worker.process.send_signal(signal.SIGSTOP)
        self.fired["SIGSTOP"] += 1

    def thaw(self, worker):
        worker.process.send_signal(signal.SIGCONT)

    def deaths(self):
        """Failpoints that fired, by name; each that killed has lost its worker."""
        found = collections.Counter()
        if os.path.exists(self.failpoint_log):
            with open(self.failpoint_log, encoding="utf-8") as file:
                for line in file:
                    name, action, pid = line.split()
                    found[name] += 1
                    if action in ("crash", "segv"):
                        self.lost_pids.add(int(pid.split("=")[1]))
        return found

    # --- jobs ---

    def submit(self, count, **more):
        made = []
        for i in range(count):
            tier = more.get("tier") or base.TIERS[self.dice.choice((0, 0, 0, 0, 0, 1, 1, 2))]
            made.append(self.job(**{**more, "tier": tier}))
        return self.submit_jobs(made)

    def submit_jobs(self, made):
        for _, job in made:
            self.submitted[job["job_id"]] = {"unit": job["business_unit"], "runs": 1}
        return self.produce(made)

    def left(self):
        """How many runs have not ended."""
        wanted = sum(told["runs"] for job, told in self.submitted.items()
                     if self.cancelled.get(job) != "not_seen")
        return wanted - self.ended()

    def settle_down(self, bound=None):
        """The faults are over: from here on the clock runs until all is done."""
        self.bound = bound or self.bound
        self.healed = time.monotonic()
        deadline = self.healed + self.bound
        while time.monotonic() < deadline:
            if self.left() <= 0 and self.number("SELECT count(*) FROM outbox") == 0 and \
                    self.number("SELECT count(*) FROM attempts WHERE state = 'sent'") == 0:
                break
            time.sleep(0.5)
        self.took = time.monotonic() - self.healed

    # --- the stack ---

    def stack(self, *words):
        """Java on a busy machine may need longer to come back than scripts/stack waits for it."""
        for tries in range(3):
            try:
                super().stack(*words)
                return
            except Failed as error:
                if words != ("up", "kafka") or tries == 2:
                    raise
                say(f"once more, for {str(error)[-200:]}")

    def cut_topics(self):
        """All below the committed offsets is deleted from the topics, as retention would."""
        places = []
        for group, topics in self.groups().items():
            offsets = OffsetReader(self.direct["brokers"], group).read(self.topic_sizes(topics))
            for topic in topics:
                self.cut += [[topic, message.partition, message.offset, message.body]
                             for message in self.consume(topic)
                             if message.offset < offsets.get((topic, message.partition), 0)]
            places += [{"topic": topic, "partition": partition, "offset": offset}
                       for (topic, partition), offset in offsets.items() if offset > 0]
        path = os.path.join(self.directory, "cut.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "partitions": places}, file)
        self.run([os.path.join(base.SOURCE, "scripts", "kafka"), "delete", path, "--dir",
                  os.path.join(self.stack_directory, "kafka-real")])
        self.fired["messages cut"] = len(self.cut)

    # --- postgres ---

    def restart_postgres(self, env=None):
        """As an administrator would: fast, in good order; into another environment."""
        self.stop_postgres()
        os.environ.update(env or {})
        self.stack("up", "postgres")
        for name in env or {}:
            del os.environ[name]

    def move_postgres(self, home, disk):
        """Its data onto a disk of its own."""
        self.stop_postgres()
        subprocess.run(["cp", "-a", home + "/data", disk + "/data"], check=True)
        shutil.rmtree(home + "/data")
        os.symlink(disk + "/data", home + "/data")
        self.stack("up", "postgres")

    def revive_postgres(self):
        """It may have given up, or be in the middle of giving up."""
        def answers():
            try:
                return self.number("SELECT 1")
            except Failed:
                return 0
        deadline = time.monotonic() + 10
        while not answers() and time.monotonic() < deadline:
            time.sleep(0.5)
        if not answers():
            self.stack("down", "postgres")
            self.stack("up", "postgres")

    def stop_postgres(self):
        home = os.path.realpath(os.path.join(self.stack_directory, "postgres"))
        tools = sorted(os.listdir("/usr/lib/postgresql"))[-1]
        stop = [f"/usr/lib/postgresql/{tools}/bin/pg_ctl", "-D", home + "/data", "-s", "-m", "fast",
                "-w", "stop"]
        if os.geteuid() == 0:
            stop = ["runuser", "-u", "postgres", "--", *stop]
        subprocess.run(stop, check=True, cwd="/")

    def lock_jobs(self):
        """Nobody can claim until the session ends; returns it."""
        lock = subprocess.Popen(
            ["psql", "-X", "-q", self.direct["postgres"], "-c",
             "BEGIN; LOCK TABLE sluice.jobs IN EXCLUSIVE MODE; SELECT pg_sleep(30)"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(10 * PATIENCE, "the table is locked", lambda: self.number(
            "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND granted "
            "AND relation = 'jobs'::regclass"))
        return lock

    # --- judgement ---

    def spoilt(self):
        return sorted(attempt for proxy in self.proxies.values() for attempt in proxy.spoilt if attempt)

    def facts(self, **more):
        self.deaths()
        path = os.path.join(self.directory, "facts.json")
        facts = {"postgres": self.direct["postgres"], "brokers": self.direct["brokers"],
                 "group": GROUP, "groups": self.groups(), "prefix": self.prefix, "topics": self.topic_sizes(),
                 "bill": self.bill_path, "jobs": self.submitted, "lost_pids": sorted(self.lost_pids),
                 "cancelled": self.cancelled, "poison": self.poison, "conflicts": self.conflicts,
                 "offsets": os.path.join(self.directory, "offsets"), "took": self.took,
                 "bound": self.bound, "spoilt": self.spoilt(), **more}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(facts, file)
        return path

    def ask_oracle(self, path, *words):
        answer = os.path.join(self.directory, "verdict.json")
        done = subprocess.run([sys.executable, os.path.join(HERE, "oracle.py"), path, "--json",
                               answer, *words], capture_output=True, check=False)
        print(done.stdout.decode(), end="", flush=True)
        if done.returncode not in (0, 3):
            raise Failed(f"the oracle has no answer: {done.stderr.decode()[-2000:]}")
        with open(answer, encoding="utf-8") as file:
            return json.load(file)

    def check_offsets(self):
        """I5, now: the caller has stopped the world."""
        verdicts = self.ask_oracle(self.facts(), "--offsets")["verdicts"]
        self.fired["offsets compared"] += verdicts[0]["looked"]
        self.early = getattr(self, "early", []) + [v for v in verdicts if v["broken"]]

    def judge(self, **more):
        """The verdict on everything since the beginning; the product's own audit is asked as well."""
        path = self.facts(**more)
        say("verdicts:", self.sql("SELECT state, reply, verdict, signature, count(*) FROM attempts "
                                  "GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 12"))
        say("ends:", self.sql("SELECT outcome, reason, count(*) FROM results GROUP BY 1, 2"))
        report = self.ask_oracle(path)
        report["verdicts"] += getattr(self, "early", [])
        if self.took is not None and self.took >= self.bound:
            self.tell_what_is_left()
        report["verdicts"].append(self.ask_audit())
        self.run([base.SLUICE, "audit", "--bill", self.bill_path, "--complete", "--book"],
                 good=(0, 1))
        report["verdicts"] += self.ask_oracle(path, "--sums")["verdicts"]
        self.broken = any(verdict["broken"] for verdict in report["verdicts"])
        return report

    def ask_audit(self):
        """The product's own opinion, as one more witness."""
        done = subprocess.run([base.SLUICE, "audit"], capture_output=True, check=False,
                              env=dict(os.environ, SLUICE_CONFIG=self.config_path))
        text = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode != 0:
            print(text[-2000:], flush=True)
        return {"name": "audit", "claim": "sluice audit finds nothing", "looked": 1, "note": "",
                "broken": int(done.returncode != 0), "examples": [text[-500:]] * (done.returncode != 0)}

    def tell_what_is_left(self):
        say("not done:", self.sql("SELECT state, reason, crash_count, count(*) FROM jobs WHERE state "
                                  "NOT IN ('DONE', 'DEAD', 'CANCELLED') GROUP BY 1, 2, 3"),
            "outbox:", self.sql("SELECT kind, count(*) FROM outbox GROUP BY 1"),
            "open:", self.sql("SELECT count(*) FROM attempts WHERE state = 'sent'"))
