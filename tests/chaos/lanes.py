"""Trials of the other ways that a job can go: in a provider's batch, through the REST shim, by the
router, and out again as a webhook. As in trials.py; the workers' own lane is always part of it."""
import base64
import os
import time

from world import GROUP, PATIENCE, Failed, World, sure, wait_for
from api import Api, make_key
from batch_fleet import Batcher
from fleet import TIERS, UNITS, Worker
from sink import Sink
from trials import trial

# A provider's day passes in a quarter of a minute; a hidden batch is listed after six seconds.
BATCH_DAY = ["--batch-speed", "6000", "--batch-run", "3000", "--batch-hide", "36000", "--batch-validate", "600"]
BATCH = {"max_lines": 15, "max_age": "500ms", "poll": "200ms", "retry": "1s", "adopt_wait": "20s",
         "adopt_looks": 4, "rescue_before": "1s"}


# --- the batch lane ---

class BatchWorld(World):
    def batch_topics(self):
        return [f"{self.prefix}.{tier}.batch" for tier in TIERS]

    def topics(self):
        return super().topics() + self.batch_topics()

    def groups(self):
        return {GROUP: super().topics(), GROUP + "-batch": self.batch_topics()}

    def write_config(self):
        os.makedirs(os.path.join(self.directory, "batch"), exist_ok=True)
        self.changes.setdefault("batch", {}).update(
            {**BATCH, "dir": os.path.join(self.directory, "batch")})
        for provider in ("openai", "anthropic"):
            self.changes.setdefault("providers", {}).setdefault(provider, {})["supports_batch"] = True
        super().write_config()

    def batcher(self, name, failpoints=None):
        worker = self.workers.setdefault(name, Batcher(self, name))
        worker.start(failpoints=failpoints, wait=False)
        wait_for(30 * PATIENCE, f"batch worker {name} is ready",
                 lambda: failpoints and not worker.is_running() or worker.is_ready())
        return worker

    def submit_batched(self, count, **more):
        """Half on the economy tier, which is OpenAI's, half on the frontier's, which both share."""
        return self.submit_jobs([self.job(tier=TIERS[0 if i % 2 else 2], lane="batch", **more)
                                 for i in range(count)])

    def left(self):
        open_batches = self.number("SELECT count(*) FROM batches WHERE state NOT IN ('imported', 'failed')")
        return max(0, super().left()) + open_batches

    def judge(self, **more):
        return super().judge(batches=self.control()["batches"], **more)


def batch_world(run, **more):
    return BatchWorld(run.name, run.seed, kafka=run.plan.kafka, **more)


@trial("batch-kills", fires={"B01": 1, "B02": 2, "B03": 1, "B04": 1, "B05": 1, "B06": 1, "B07": 1, "B08": 1},
       repeat=8)
def batch_kills(run):
    """One batch worker at a time dies at the next step; the last finds all that the others left."""
    steps = ["B01@1", "B02@1", "B02@2", "B03@1", "B04@1", "B05@1", "B06@1", "B07@1", "B08@1"]
    run.dice.shuffle(steps)
    with batch_world(run, simulator=BATCH_DAY) as world:
        world.start("sync")
        for step in steps:
            name, _, hit = step.partition("@")
            before = world.deaths()[name]
            victim = world.batcher(step.replace("@", "-"), f"{name}=crash@{hit}")
            world.submit_batched(30)
            deadline = time.monotonic() + 40 * PATIENCE
            while victim.is_running() and time.monotonic() < deadline:
                time.sleep(0.2)
            if world.deaths()[name] == before and victim.is_running():
                world.kill(victim, "kill -9 instead")
        world.batcher("last")
        world.settle_down(bound=300)
        return run.verdict(world)


@trial("batch-doubt", fires={"batch_lost_create": 2, "batch_hidden": 3, "batch_lost_upload": 1}, repeat=8)
def batch_doubt(run):
    """Replies to submissions are lost, and the provider's list is late: nothing is submitted twice."""
    faults = ("batch_lost_create@batch=0.5,batch_hidden@batch=1,batch_lost_upload@batch=0.3,"
              "batch_flap@batch=0.2")
    # Anthropic's have no name: two of equal size and unknown fate would be held for a person.
    tiers = [{"name": "economy", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}]}]
    with batch_world(run, simulator=[*BATCH_DAY, "--fault", faults], config={"tiers": tiers}) as world:
        world.start("sync")
        world.batcher("one")
        world.batcher("two")
        seen = lambda: world.control()["faults"]  # noqa: E731
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline and len(world.submitted) < 600 and not all(
                seen().get(name, 0) >= least for name, least in run.plan.fires.items()):
            world.submit_jobs([world.job(lane="batch") for _ in range(15)])
            time.sleep(0.5)
        world.control(fault="")
        world.settle_down(bound=300)
        world.fired.update({name: count for name, count in seen().items() if name in run.plan.fires})
        return run.verdict(world)


# --- the REST shim ---

class Client:
    """As an application would: on any doubt the same again, under the same key."""

    def __init__(self, world):
        self.world, self.api = world, Api(world)
        self.api.start()
        self.key = make_key(world, *UNITS)
        self.number = 0

    def body(self, text):
        return {"business_unit": self.world.dice.choice(UNITS),
                "prompt": {"messages": [{"role": "user", "content": text}]},
                "routing": {"tier": TIERS[self.number % 3]}}

    def is_away(self):
        return self.api.process.poll() is not None

    def restart(self, failpoints=None):
        if not self.is_away():
            self.api.stop()
        self.api.start(failpoints)

    def submit(self, body, key):
        """The answer that came in the end, and how many were lost before."""
        for lost in range(20):
            answer = self.api.ask("POST", "/v1/jobs", body, self.key, Idempotency_Key=key)
            if answer.status not in (0, 503):
                return answer, lost
            if self.is_away():
                self.world.lost_pids.add(self.api.process.pid)
                self.api.start()
        raise Failed(f"no answer to a submission: {answer.status} {answer.body[:300]}")

    def one(self):
        self.number += 1
        key, body = f"order-{self.number}", self.body(f"Say {self.number}")
        answer, lost = self.submit(body, key)
        sure(answer.status in (200, 202), f"{answer.status} {answer.body[:300]}")
        job = answer.json["job_id"]
        self.world.submitted[job] = {"unit": body["business_unit"], "runs": 1}
        self.world.fired["sent again"] += lost
        if lost or self.number % 10 == 0:
            self.change(body, key, job)

    def change(self, body, key, job):
        """The same is the same job, another body under its key is none."""
        again, _ = self.submit(body, key)
        sure(again.json.get("job_id") == job, f"the same key and body made {again.body[:300]}")
        other, _ = self.submit({**body, "prompt": {"messages": [
            {"role": "user", "content": "Say something else"}]}}, key)
        sure(other.status == 409, f"another body under the key: {other.status} {other.body[:300]}")
        self.world.fired["refused as changed"] += 1


@trial("rest-kills", fires={"R01": 2, "R02": 2, "sent again": 2, "refused as changed": 3}, repeat=8)
def rest_kills(run):
    """The shim dies between row, message and answer; who asks again has one job, and it runs once."""
    with run.world(simulator=["--latency", "uniform:5,60"]) as world:
        world.start("one")
        client = Client(world)
        for point in run.dice.sample(["R01", "R02"] * 2, 4):
            before = world.deaths()[point]
            client.restart(f"{point}=crash@{run.dice.randint(1, 6)}")
            for _ in range(200):
                client.one()
                if world.deaths()[point] > before:
                    break
        for _ in range(10):
            client.one()
        world.settle_down()
        client.api.stop()
        return run.verdict(world, calls_once=True)


# --- the router ---

class Router(Worker):
    def words(self):
        return ["router", "--listen", f"127.0.0.1:{self.port}"]


class RouterWorld(World):
    def topics(self):
        return super().topics() + [self.prefix + ".intake"]

    def groups(self):
        return {GROUP: super().topics(), GROUP + "-router": [self.prefix + ".intake"]}

    def router(self, name, failpoints=None):
        router = self.workers.setdefault(name, Router(self, name))
        router.start(failpoints=failpoints, wait=False)
        return router

    def submit_unrouted(self, count):
        made = [(self.prefix + ".intake", self.job()[1]) for _ in range(count)]
        return self.submit_jobs(made)

    def judge(self, **more):
        return super().judge(first_hop=1, **more)


@trial("router-kills", fires={"T01": 1, "T02": 1, "T03": 1}, repeat=8)
def router_kills(run):
    """Routers die with messages half passed on: each job arrives, and is called for once."""
    with RouterWorld(run.name, run.seed, kafka=run.plan.kafka, simulator=["--latency", "uniform:5,60"],
                     config={"kafka": {"options": {"session.timeout.ms": 3000}}}) as world:
        world.start("one")
        world.router("steady")
        for point in run.dice.sample(["T01", "T02", "T03"], 3):
            hit = run.dice.randint(1, 20) if point != "T03" else 1
            victim = world.router(point, f"{point}=crash@{hit}")
            deadline = time.monotonic() + 60 * PATIENCE
            while victim.is_running() and time.monotonic() < deadline and len(world.submitted) < 2500:
                world.submit_unrouted(20)
                time.sleep(0.5)
            if not victim.is_running():
                world.router(point)
        world.submit_unrouted(30)
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- webhooks ---

class HookWorld(World):
    """Each job's webhook has a path of its own, so that the receiver knows whose it is."""

    def __init__(self, *words, sink, **more):
        self.sink, self.hooked, self.forbidden = sink, {}, []
        super().__init__(*words, **more)

    def hooked_job(self, *answers, url=None, **more):
        topic, job = self.job(**more)
        path = "/" + job["job_id"]
        self.sink.answers[path] = list(answers or (200,))
        job["callback"] = {"url": url or self.sink.url(path)}
        if url:
            self.forbidden.append(job["job_id"])
        else:
            self.hooked[job["job_id"]] = job["business_unit"]
        self.submit_jobs([(topic, job)])
        return job["job_id"]

    def hurry(self):
        """What waits for its next try, or for a sender that died, is due."""
        self.sql("UPDATE outbox SET next_try = now() WHERE kind = 'webhook'")
        self.sql("UPDATE webhook_endpoints SET held_until = 'epoch'")

    def left(self):
        self.hurry()
        return super().left()

    def judge(self, **more):
        secrets = {unit: self.sluice("webhooks", "secret", unit).split() for unit in UNITS}
        posts = [{"job": post.path[1:], "status": post.status, "id": post.headers["webhook-id"],
                  "timestamp": post.headers["webhook-timestamp"],
                  "signature": post.headers["webhook-signature"],
                  "body": base64.b64encode(post.body).decode()} for post in self.sink.came]
        return super().judge(webhooks={
            "jobs": {job: secrets[unit] for job, unit in self.hooked.items()}, "posts": posts,
            "forbidden": self.forbidden}, **more)


@trial("webhook-kills", fires={"W01": 1, "W02": 1, "W03": 1, "failed": 5, "gone": 2}, repeat=8)
def webhook_kills(run):
    """Senders die before, in and after a post; receivers fail, redirect and are gone."""
    config = {"api": {"webhook_secrets": ["the new master secret", "the old one"],
                      "webhook_private": True}}
    with Sink() as sink, HookWorld(run.name, run.seed, kafka=run.plan.kafka, sink=sink, config=config,
                                   simulator=["--latency", "fixed:10"]) as world:
        for point in run.dice.sample(["W01", "W02", "W03"], 3):
            victim = world.start_victim(point, f"{point}=crash@{run.dice.randint(1, 3)}")
            deadline = time.monotonic() + 60 * PATIENCE
            while victim.is_running() and time.monotonic() < deadline:
                for answers in ((200,), (500, 200), (503, 302, 200), (410,)):
                    world.hooked_job(*answers)
                world.fired["failed"] += 3
                world.fired["gone"] += 1
                world.hurry()
                time.sleep(0.5)
            victim.process.poll()
        world.start("one")
        world.hooked_job(text="[[sim:400]] refused")
        world.settle_down()
        return run.verdict(world)


@trial("webhook-walls", fires={"forbidden": 4}, repeat=2)
def webhook_walls(run):
    """Nothing is posted behind our own walls, however the address is spelled."""
    config = {"api": {"webhook_secrets": ["the master secret"]}}
    with Sink() as sink, HookWorld(run.name, run.seed, kafka=run.plan.kafka, sink=sink, config=config,
                                   simulator=["--latency", "fixed:10"]) as world:
        world.start("one")
        for host in ("127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]"):
            world.hooked_job(url=sink.url("/walls").replace("127.0.0.1", host))
            world.fired["forbidden"] += 1
        world.settle_down()
        return run.verdict(world, calls_once=True)
