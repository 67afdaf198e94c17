"""The trials: each makes a world, breaks it in one way, heals it and returns what happened. A trial
names the faults that must have fired; where one has not, the trial proves nothing and fails.

    @trial("zombie", fires={"SIGSTOP": 2})
    def zombie(run):
        with run.world() as world: ...
            return run.verdict(world)

`run.full` is true for the long campaign: more rounds, longer outages.
"""
import collections
import hashlib
import json
import os
import random
import time

from world import PATIENCE, World, say, sure, wait_for

TRIALS = {}


class Trial:
    """`lacks` says what the machine does not have for it, or None: without it the trial is skipped.
    `seconds`: how long it may take, where that is longer than others may."""

    def __init__(self, name, function, fires, full_only=False, kafka="embedded", repeat=1, lacks=None,
                 seconds=None):
        self.name, self.function, self.fires = name, function, fires
        self.full_only, self.kafka, self.repeat = full_only, kafka, repeat
        self.lacks, self.seconds = lacks or (lambda: None), seconds


def trial(name, fires, **more):
    def keep(function):
        TRIALS[name] = Trial(name, function, fires, **more)
        return function
    return keep


class Run:
    """One run of one trial."""

    def __init__(self, plan, seed, full):
        self.plan, self.name, self.seed, self.full = plan, plan.name, seed, full
        self.dice = random.Random(f"{seed} {plan.name} run")

    def world(self, **more):
        return World(self.name, self.seed, **{"kafka": self.plan.kafka, **more})

    def verdict(self, world, **more):
        for proxy in world.proxies.values():
            world.fired.update(proxy.fired)
        report = world.judge(**more)
        fired = world.fired + world.deaths()
        missing = [f"{name}: {fired[name]} of {least}" for name, least in self.plan.fires.items()
                   if fired[name] < least]
        report["fired"] = dict(fired)
        report["missing"] = missing
        return report


def wait_fired(world, names, seconds, feed):
    """Jobs go on coming until each of the failpoints has fired, or time is up (the verdict tells)."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not all(world.deaths()[name] for name in names) and time.monotonic() < deadline:
        feed()
        time.sleep(0.5)


def revive(world, delay=0.0):
    """Those that died come back without their failpoints."""
    time.sleep(delay)
    for name in world.victims:
        if not world.workers[name].is_running():
            world.workers[name].process.wait()
            world.start(name)


def ready(world, *names):
    for name in names:
        worker = world.workers[name]
        wait_for(30 * PATIENCE, f"worker {name} is ready",
                 lambda worker=worker: not worker.is_running() or worker.is_ready())


def feeder(world, count, most=2500, **more):
    """A function that submits a few more jobs each time, to an end."""
    def feed():
        if len(world.submitted) < most:
            world.submit(count, **more)
    return feed


# --- nothing at all ---

@trial("calm", fires={})
def calm(run):
    """Without a fault: the oracle is satisfied, and each job is called exactly once."""
    with run.world(simulator=["--latency", "uniform:5,60"]) as world:
        world.start("one", "two")
        world.submit(1500 if run.full else 400)
        world.settle_down()
        return run.verdict(world, calls_once=True, limited=world.control()["limited"])


# --- kill -9 at every step ---

def kill_at(run, steps, simulator=("--latency", "uniform:20,150"), soon=4, feed=None, **more):
    """One victim per step beside a judge that lives; each dies at a hit that the seed chooses."""
    with run.world(simulator=list(simulator), **more) as world:
        world.start("judge")
        for step in steps:
            hit = run.dice.randint(1, soon if step not in ("K01", "K02", "K07", "K08", "K09") else 20)
            world.start_victim(step, f"{step}=crash@{hit}", wait=False)
        ready(world, *steps)
        world.submit(60 * (len(steps) + 1))
        wait_fired(world, steps, 40, feed(world) if feed else feeder(world, 40))
        revive(world, run.dice.choice((0, 0, 2)))
        world.submit(30)
        world.settle_down()
        return run.verdict(world)


@trial("kill-claim", fires={"K01": 1, "K02": 1, "K03": 1, "K04": 1, "K05": 1, "K06": 1}, repeat=8)
def kill_claim(run):
    return kill_at(run, ["K01", "K02", "K03", "K04", "K05", "K06"])


@trial("kill-call", fires={"K07": 1, "K08": 1, "K09": 1, "K17": 1, "K18": 1}, repeat=8)
def kill_call(run):
    """Some answers make a job wait, some jobs may not start yet: those states are died in as well."""
    def feed(world):
        def more():
            if len(world.submitted) < 2500:
                world.submit(30)
                world.submit(10, routing={"not_before": moment(2)})
        return more
    return kill_at(run, ["K07", "K08", "K09", "K17", "K18"], feed=feed,
                   simulator=["--latency", "uniform:20,150", "--fault", "503=0.08,500=0.05"])


@trial("kill-settle", fires={"K11": 1, "K12": 1, "K13": 1, "K14": 1, "K15": 1, "K16": 1}, repeat=8)
def kill_settle(run):
    return kill_at(run, ["K11", "K12", "K13", "K14", "K15", "K16"])


@trial("kill-group", fires={"K20": 1, "K21": 1, "K22": 1, "S01": 1, "K19": 1}, repeat=8)
def kill_group(run):
    """Deaths around the group's changes, in the grace period, and while others' debts are swept."""
    with run.world(simulator=["--latency", "uniform:50,400"]) as world:
        world.start_victim("debtor", "K14=crash@%d" % run.dice.randint(2, 5))
        feed = feeder(world, 30)
        wait_fired(world, ["K14"], 30, feed)
        # Nobody else is there: the debts grow due, and who sweeps them dies of it.
        world.start_victim("sweeper", "K19=crash")
        wait_fired(world, ["K19"], 45, lambda: None)
        world.start("judge")
        world.start_victim("commits", "K21=crash@2")
        wait_fired(world, ["K21"], 30, feed)
        world.start_victim("revoked", "K20=crash")
        wait_for(20 * PATIENCE, "the worker has partitions",
                 lambda: world.workers["revoked"].logged("event=kafka_assigned"))
        world.start_victim("assigned", "K22=crash", wait=False)
        wait_fired(world, ["K20", "K22"], 40, feed)
        leaver = world.start_victim("leaver", "S01=crash")
        wait_for(30 * PATIENCE, "the leaver has partitions",
                 lambda: leaver.has_partitions() or feed(), every=0.5)
        leaver.term()
        wait_fired(world, ["S01"], 20, feed)
        revive(world)
        world.settle_down()
        return run.verdict(world)


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@trial("random-kills", fires={"kill -9": 5}, repeat=20)
def random_kills(run):
    """Any worker at any time, sometimes all at once."""
    with run.world(simulator=["--latency", "uniform:50,500", "--fault", "503=0.03"],
                   config={"worker": {"max_in_flight": 12}}) as world:
        names = ["one", "two", "three"]
        world.start(*names)
        world.submit(250)
        until = time.monotonic() + (60 if run.full else 15)
        while time.monotonic() < until or world.fired["kill -9"] < 5:
            time.sleep(run.dice.uniform(0.5, 3))
            for name in run.dice.sample(names, run.dice.choice((1, 1, 1, 2, 3))):
                world.kill(world.workers[name])
                time.sleep(run.dice.choice((0, 0, 1)))
                world.workers[name].start(wait=False)
            world.submit(20)
        ready(world, *names)
        world.settle_down(bound=240)
        return run.verdict(world)


class Questions:
    """A few questions that many jobs ask, mixed with jobs of their own."""

    def __init__(self, world, dice, number):
        self.world, self.dice, self.number, self.asked = world, dice, number, {}

    def ask(self, count):
        made = []
        for _ in range(count):
            question = self.dice.randrange(self.number)
            made.append(self.world.job(
                tier="economy", task="kept", business_unit="search", feature=f"f{len(self.asked) % 7}",
                prompt={"messages": [{"role": "user", "content": f"Question {question}: is this spam?"}]}))
            self.asked[made[-1][1]["job_id"]] = question
        self.world.submit_jobs(made)
        self.world.submit(count // 10)


@trial("same-question", fires={"kill -9": 4}, repeat=10)
def same_question(run):
    """Everybody asks the same few questions, of workers that are killed while one of them is called for all."""
    kept = {"cache_ttl": "1h", "min_confidence": 0}
    with run.world(simulator=["--latency", "uniform:300,3000"], config={"tasks": {"kept": kept}}) as world:
        names = ["one", "two", "three"]
        world.start(*names)
        crowd = Questions(world, run.dice, 120)
        for kills in range(10 if run.full else 4):
            crowd.number += 30
            crowd.ask(200)
            wait_for(30 * PATIENCE, "some wait for another's call", lambda: world.number(
                "SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'same_job'") > 0, 0.05)
            time.sleep(run.dice.uniform(0, 1.5))
            worker = world.workers[run.dice.choice(names)]
            world.kill(worker)
            worker.start(wait=False)
        ready(world, *names)
        crowd.ask(100)
        world.settle_down()
        return run.verdict(world, questions=crowd.asked)


@trial("zombie", fires={"SIGSTOP": 2}, repeat=5)
def zombie(run):
    """Two workers sleep for three times the limit of a beat, with calls open, and wake to settle them."""
    with run.world(simulator=["--latency", "uniform:1500,3000"]) as world:
        world.start("judge", "one", "two")
        world.submit(75)
        zombies = [world.workers["one"], world.workers["two"]]
        feed = feeder(world, 10, 200)
        wait_for(20 * PATIENCE, "the zombies-to-be have calls open",
                 lambda: all(worker.calls_open() > 3 for worker in zombies) or feed(), every=0.5)
        for worker in zombies:
            world.freeze(worker)
        # Whoever takes their jobs over is still calling when they wake.
        world.control(latency="fixed:35000")
        wait_for(100 * PATIENCE, "their jobs are others' by now", lambda: world.number(
            "SELECT count(*) FROM jobs JOIN workers w ON w.worker_id = owner WHERE state = 'CLAIMED' "
            f"AND w.pid IN ({', '.join(str(z.process.pid) for z in zombies)})") == 0, every=0.5)
        wait_for(60 * PATIENCE, "others call for them", lambda: world.number(
            "SELECT count(*) FROM jobs j WHERE state = 'CLAIMED' AND 2 <= (SELECT count(*) "
            "FROM attempts a WHERE a.job_id = j.job_id)") > 3, every=0.5)
        world.control(latency="uniform:20,200")
        for worker in zombies:
            world.thaw(worker)
        world.submit(100)
        world.settle_down()
        return run.verdict(world)


# --- Postgres ---

@trial("postgres-restarts", fires={"fast restart": 2, "immediate crash": 2}, repeat=5)
def postgres_restarts(run):
    with run.world(simulator=["--latency", "uniform:50,300"]) as world:
        world.start("one", "two")
        for _ in range(2):
            world.submit(120)
            time.sleep(run.dice.uniform(0.2, 1.5))
            world.restart_postgres()
            world.fired["fast restart"] += 1
            world.submit(120)
            time.sleep(run.dice.uniform(0.2, 1.5))
            world.stack("down", "postgres")
            time.sleep(run.dice.uniform(0, 2))
            world.stack("up", "postgres")
            world.fired["immediate crash"] += 1
        world.settle_down()
        return run.verdict(world)


@trial("postgres-away", fires={"postgres away": 1, "K10": 1, "offsets compared": 1}, repeat=3)
def postgres_away(run):
    """A worker dies over its spool while Postgres is away; then the world stands still for a look at
    the offsets; what was spooled is settled by others."""
    with run.world(simulator=["--latency", "uniform:2000,12000"]) as world:
        world.start("one")
        world.start_victim("spooler", "K10=crash@1")
        victims = [world.workers["one"], world.workers["spooler"]]
        feed = feeder(world, 20, 400)
        wait_for(40 * PATIENCE, "both have calls open",
                 lambda: all(worker.calls_open() > 3 for worker in victims) or feed(), every=0.5)
        # Claims wait for a lock when the server crashes: sent, never committed.
        lock = world.lock_jobs()
        world.submit(60)
        wait_for(20 * PATIENCE, "claims wait for the lock", lambda: world.number(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE "
            "'%Claim a group%'") > 0)  # settles wait for it as well
        world.stack("down", "postgres")
        lock.wait()
        world.fired["postgres away"] += 1
        world.submit(50)
        wait_fired(world, ["K10"], 20, lambda: None)
        if run.full:
            time.sleep(60)  # the outage that is promised to be survived
        else:
            wait_for(30 * PATIENCE, "the other has noticed as well",
                     lambda: world.workers["one"].logged("event=spooled") > 0)
        world.kill(world.workers["one"])
        world.stack("up", "postgres")
        world.check_offsets()
        world.start("one")
        revive(world)
        world.settle_down()
        return run.verdict(world)


@trial("commit-swallowed", fires={"swallowed claim": 2, "swallowed settle": 2, "swallowed intend": 1,
                                  "swallowed pull": 1}, repeat=10)
def commit_swallowed(run):
    """The transaction commits, its answer never comes."""
    with run.world(simulator=["--latency", "uniform:20,100", "--fault", "not_json=0.1,503=0.05"],
                   proxies=("postgres",)) as world:
        proxy = world.proxies["postgres"]
        world.start("one", "two")
        proxy.swallow = {"claim": 0.3, "settle": 0.15, "intend": 0.3, "pull": 0.05,
                         "outbox_paid": 0.1, "classify": 0.3}
        deadline = time.monotonic() + 40 * PATIENCE
        feed = feeder(world, 20, 1500)
        while time.monotonic() < deadline and any(
                proxy.fired[name] < least for name, least in run.plan.fires.items()):
            feed()
            world.submit(4, routing={"not_before": moment(1)})
            time.sleep(0.4)
        proxy.swallow = {}
        world.settle_down()
        # Nobody died: every answer was heard, every attempt is a charge or was really lost.
        return run.verdict(world)


@trial("commit-lost", fires={"rolled back claim": 2, "rolled back settle": 2, "rolled back intend": 1},
       repeat=10)
def commit_lost(run):
    """The rows of a statement arrive, its COMMIT does not: what was read must not be believed."""
    with run.world(simulator=["--latency", "uniform:20,100", "--fault", "not_json=0.1,503=0.05"],
                   proxies=("postgres",)) as world:
        proxy = world.proxies["postgres"]
        world.start("one", "two")
        proxy.roll_back = {"claim": 0.3, "settle": 0.15, "intend": 0.3, "pull": 0.1}
        deadline = time.monotonic() + 40 * PATIENCE
        feed = feeder(world, 20, 1500)
        while time.monotonic() < deadline and any(
                proxy.fired[name] < least for name, least in run.plan.fires.items()):
            feed()
            time.sleep(0.4)
        proxy.roll_back = {}
        world.settle_down()
        return run.verdict(world)


# --- Kafka ---

def broker_away(run, rounds, away):
    with run.world(simulator=["--latency", "uniform:50,300"]) as world:
        world.start("one", "two")
        for _ in range(rounds):
            world.submit(150)
            time.sleep(run.dice.uniform(0.2, 1.5))
            world.stack("down", "kafka")
            world.fired["broker down"] += 1
            time.sleep(run.dice.uniform(1, away))
            world.stack("up", "kafka")
        world.submit(100)
        world.settle_down()
        return run.verdict(world, calls_once=True)


@trial("broker-away", fires={"broker down": 2}, repeat=5)
def broker_away_embedded(run):
    """No worker dies of it, and no job is called twice."""
    return broker_away(run, 2, 5)


@trial("broker-killed", fires={"broker down": 1}, kafka="real", repeat=4)
def broker_killed(run):
    """Apache Kafka, kill -9 and again."""
    return broker_away(run, 3 if run.full else 1, 10 if run.full else 3)


@trial("broker-and-worker", fires={"broker down": 1, "kill -9": 1, "debts": 1}, repeat=5)
def broker_and_worker(run):
    """Outcomes are owed while Kafka is away, and who owes them dies."""
    with run.world(simulator=["--latency", "uniform:500,1500"]) as world:
        world.start("one", "two")
        world.submit(80)
        wait_for(30 * PATIENCE, "calls are open",
                 lambda: sum(worker.calls_open() for worker in world.workers.values()) > 20)
        world.stack("down", "kafka")
        world.fired["broker down"] += 1
        wait_for(30 * PATIENCE, "outcomes are owed", lambda: world.number(
            "SELECT count(*) FROM results r JOIN outbox USING (job_id)") > 5)
        world.fired["debts"] += world.number("SELECT count(*) FROM outbox")
        for name in ("one", "two"):
            world.kill(world.workers[name])
        world.stack("up", "kafka")
        world.start("one", "two")
        world.settle_down()
        return run.verdict(world)


@trial("refused-events", fires={"refused": 1}, repeat=3)
def refused_events(run):
    """The broker refuses messages for good: what was to be told stays owed, and is told later."""
    with run.world(simulator=["--latency", "uniform:50,6000"]) as world:
        world.start("one", "two")
        world.submit(200)
        wait_for(30 * PATIENCE, "some have ended", lambda: world.ended() > 20)
        world.stack("tell", "fail", "0", "10", "3")  # three requests to Produce: MSG_SIZE_TOO_LARGE
        world.settle_down()
        world.fired["refused"] += sum(worker.logged("event=event_not_delivered")
                                      for worker in world.workers.values())
        return run.verdict(world, calls_once=True)


def storm(run, seconds, most):
    with run.world(simulator=["--latency", "uniform:100,1500"], partitions=8) as world:
        names = [f"w{i}" for i in range(most)]
        world.start(names[0])
        until, leaving = time.monotonic() + seconds, set()  # processes that were asked to end
        while time.monotonic() < until:
            world.submit(15)
            name = run.dice.choice(names)
            worker = world.workers.get(name)
            if not worker or not worker.is_running():
                world.start(name)
                world.fired["joined"] += 1
            elif sum(w.is_running() and w.process not in leaving
                     for w in world.workers.values()) > 1 and worker.process not in leaving:
                worker.term()
                leaving.add(worker.process)
                world.fired["left"] += 1
            time.sleep(run.dice.uniform(0.3, 2))
        for name in names[:2]:
            worker = world.workers.get(name)
            if worker and worker.process in leaving:
                worker.wait(40 * PATIENCE)
            if not worker or not worker.is_running():
                world.start(name)
        world.settle_down()
        return run.verdict(world, calls_once=True)


@trial("rebalance-storm", fires={"joined": 3, "left": 2}, repeat=5)
def rebalance_storm(run):
    """Workers come and go in good order: each job is called exactly once."""
    return storm(run, 150 if run.full else 25, 12 if run.full else 6)


@trial("rebalance-storm-real", fires={"joined": 3, "left": 2}, full_only=True, kafka="real", repeat=4)
def rebalance_storm_real(run):
    return storm(run, 90, 6)


@trial("poll-exceeded", fires={"K02": 1, "lost its seat": 1}, repeat=5)
def poll_exceeded(run):
    """A worker hangs for longer than Kafka lets a member; others join meanwhile. It is alive, so its
    jobs stay its own, and none is called twice."""
    options = {"session.timeout.ms": 3000, "max.poll.interval.ms": 4000}
    with run.world(simulator=["--latency", "uniform:50,400"], config={"kafka": {"options": options}},
                   partitions=8) as world:
        world.start("one")
        slow = world.start_victim("slow", "K02=stall:8s@%d" % run.dice.randint(20, 40))
        wait_fired(world, ["K02"], 40, feeder(world, 20))
        world.start("two", "three")  # a change of the group while it sleeps
        feed = feeder(world, 20, 600)
        wait_for(60 * PATIENCE, "it was put out of the group",
                 lambda: slow.logged("maximum poll interval") > 0 or feed(), every=0.5)
        world.fired["lost its seat"] += slow.logged("maximum poll interval") > 0
        world.submit(50)
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- the network ---

def trouble(run, world, proxy):
    """Each until it was met, so that the machine's speed decides nothing."""
    def until(name, count, what):
        before = proxy.fired[name]
        wait_for(40 * PATIENCE, f"{proxy.kind}: {what}", lambda: proxy.fired[name] >= before + count)
    proxy.delay = 0.15
    world.submit(60)
    until("delayed", 20, "traffic was slow")
    proxy.delay = 0.0
    world.submit(60)
    proxy.refuse = True
    wait_for(40 * PATIENCE, f"{proxy.kind}: there are links to cut", proxy.cut)
    until("refused", 2, "it was tried again")
    proxy.refuse = False
    world.submit(60)
    proxy.silent = True
    until("lost", 5, "words were lost")
    if run.full:
        time.sleep(30)  # longer than most time-outs
    proxy.silent = False
    proxy.cut()


@trial("network", fires={"delayed": 60, "lost": 15, "cut": 3, "refused": 6}, repeat=5)
def network(run):
    """Slow, silent and cut connections to Postgres, Kafka and the provider, one after the other."""
    with run.world(simulator=["--latency", "uniform:50,200"],
                   config={"providers": {name: {"first_byte_timeout": "4s", "idle_timeout": "4s",
                                                "total_timeout": "8s"}
                                         for name in ("openai", "anthropic")}},
                   proxies=("postgres", "kafka", "provider")) as world:
        world.start("one", "two")
        for kind in run.dice.sample(list(world.proxies), 3):
            trouble(run, world, world.proxies[kind])
        world.settle_down()
        return run.verdict(world)


@trial("provider", fires={"faulted": 80}, repeat=10)
def provider(run):
    """Two in five calls go wrong, each in its own way."""
    kinds = ("429 slow_down 500 502 503 504 529 reset reset_accepted reset_headers reset_body hang "
             "hang_body truncated wrong_length chunk_error error_200 garbage html_200 empty_body nul "
             "surrogate huge_number long_integer deep no_usage negative_usage refusal empty length "
             "content_filter not_json violation low_confidence 400 context insufficient_quota").split()
    rare = {"insufficient_quota": 0.001, "hang": 0.004, "hang_body": 0.004}
    faults = ",".join(f"{kind}={rare.get(kind, 0.012)}" for kind in kinds)
    short = {"first_byte_timeout": "2s", "idle_timeout": "2s", "total_timeout": "6s"}
    with run.world(simulator=["--latency", "uniform:1,30", "--retry-after", "0.2", "--fault", faults],
                   config={"providers": {"openai": short, "anthropic": short}}) as world:
        world.start("one", "two")
        world.submit(2000 if run.full else 500)
        world.settle_down()
        seen = world.control()
        world.fired["faulted"] += seen["faulted"]
        return run.verdict(world)


@trial("stuck-head", fires={"stuck": 12, "overtook": 400}, repeat=3)
def stuck_head(run):
    """Some calls hang: the others pass them by, on the same partitions and behind them."""
    with run.world(simulator=["--latency", "uniform:20,100"]) as world:
        world.start("one", "two")
        stuck = world.submit(12, text="[[sim:latency 50000]] at length")
        wait_for(30 * PATIENCE, "they are on the wire",
                 lambda: sum(worker.calls_open() for worker in world.workers.values()) >= 12)
        world.fired["stuck"] += len(stuck)
        others = world.submit(400)
        wanted = ", ".join(f"'{job}'" for job in stuck)
        wait_for(60 * PATIENCE, "others have ended", lambda: world.number(
            f"SELECT count(*) FROM results WHERE job_id NOT IN ({wanted})") >= len(others))
        world.fired["overtook"] += world.number(
            f"SELECT count(*) FROM results r WHERE job_id NOT IN ({wanted}) AND finished_at < "
            f"(SELECT coalesce(min(finished_at), 'infinity') FROM results WHERE job_id IN ({wanted}))")
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- messages ---

@trial("duplicates", fires={"copies": 1000, "conflicts": 5}, repeat=5)
def duplicates(run):
    """The same message fifty times, over all partitions; some ids with another body as well."""
    with run.world(simulator=["--latency", "uniform:20,200"]) as world:
        world.start("one", "two")
        lines, topic = [], None
        for i in range(30):
            topic, job = world.job()
            world.submitted[job["job_id"]] = {"unit": job["business_unit"], "runs": 1}
            lines += [json.dumps(job)] * 50
            world.fired["copies"] += 49
            if i < 5:
                job["prompt"]["messages"][0]["content"] += " Another body."
                lines.append(json.dumps(job))
                world.conflicts.append(job["job_id"])
                world.fired["conflicts"] += 1
        run.dice.shuffle(lines)
        world.produce_lines(topic, lines, options=["-p", "-1", "-X", "sticky.partitioning.linger.ms=0"])
        world.settle_down()
        wait_for(30 * PATIENCE, "all conflicts were rejected", lambda: world.number(
            "SELECT count(*) FROM rejects WHERE reason = 'conflict'") >= 5)
        wait_for(60, "their letters are out",
                 lambda: world.number("SELECT count(*) FROM outbox") == 0)
        return run.verdict(world, calls_once=True)


def poisonous(dice):
    """Messages that are no jobs, each in its own way."""
    yield b"\x00"
    yield b"\xff\xfe\x00garbage"
    yield dice.randbytes(300)
    yield dice.randbytes(200 * 1024)
    yield b"null"
    yield b"[]"
    yield b'"text"'
    yield b"{"
    yield b"{}"
    yield b'{"version":1}'
    yield b'{"version":99,"business_unit":"a"}'
    yield b"[" * 3000
    yield b'{"a":' * 2500 + b"1" + b"}" * 2500
    yield b'{"version":1,"job_id":"not a uuid","business_unit":"a"}'
    yield b'{"version":1,"business_unit":"a\\u0000b","prompt":{"messages":[]}}'
    yield b'{"version":1,"business_unit":"a","prompt":{"messages":[{"role":"user","content":"\xc3\x28"}]}}'
    yield b'{"version":1e999,"business_unit":"a"}'
    yield b'{"version":1,"version":2}'
    yield b" " * 5000
    yield ('{"version":1,"business_unit":"' + "x" * 100000 + '"}').encode()


@trial("poison", fires={"poison": 20, "replayed": 1}, repeat=3)
def poison(run):
    """What is no job is kept to the byte and stops nobody; what died can be run again."""
    with run.world(simulator=["--latency", "uniform:5,50"]) as world:
        world.start("one", "two")
        topic = f"{world.prefix}.economy.normal"
        for data in poisonous(run.dice):
            world.produce_bytes(topic, [data])
            world.poison.append({"topic": topic, "sha256": hashlib.sha256(data).hexdigest()})
            world.fired["poison"] += 1
        world.submit(100)
        dying = world.submit(5, text="[[sim:400*1]] once refused")
        wait_for(60 * PATIENCE, "five jobs died", lambda: world.number(
            "SELECT count(*) FROM jobs WHERE state = 'DEAD'") >= 5)
        world.sluice("dead", "replay", *dying)
        for job in dying:
            world.submitted[job]["runs"] = 2
            world.fired["replayed"] += 1
        world.settle_down()
        deadline = time.monotonic() + 15 * PATIENCE
        while time.monotonic() < deadline and world.number(
                "SELECT count(*) FROM rejects") < len(world.poison):
            time.sleep(0.5)  # what is missing then is for I16 to say
        wait_for(60 * PATIENCE, "the letters are out",
                 lambda: world.number("SELECT count(*) FROM outbox") == 0)
        return run.verdict(world, calls_once=False)


@trial("huge", fires={"large": 5, "too large": 2, "tiny": 2}, repeat=3)
def huge(run):
    """Messages of nearly nothing and of the limit, one byte more and less; by reference and not."""
    limit, kib = 1 << 20, 1 << 10
    with run.world(simulator=["--latency", "uniform:5,50"]) as world:
        world.start("one", "two")
        for size in (255 * kib, 256 * kib, 257 * kib, limit - 1, limit, limit + 1, limit + 4 * kib):
            topic, job = world.job()
            data = padded(job, size)
            if size <= limit:
                world.submitted[job["job_id"]] = {"unit": job["business_unit"], "runs": 1}
            else:
                world.poison.append({"topic": topic, "sha256": hashlib.sha256(data).hexdigest()})
            world.fired["too large" if size > limit else "large"] += 1
            world.produce_bytes(topic, [data])
        for data in (b"1", b" "):
            world.produce_bytes(topic, [data])
            world.poison.append({"topic": topic, "sha256": hashlib.sha256(data).hexdigest()})
            world.fired["tiny"] += 1
        world.submit(100)
        wait_for(60 * PATIENCE, "what is no job was rejected",
                 lambda: world.number("SELECT count(*) FROM rejects") >= len(world.poison))
        world.settle_down()
        return run.verdict(world, calls_once=False)


def padded(job, size):
    """The job's message in so many bytes."""
    message = job["prompt"]["messages"][0]
    message["content"] += " "
    message["content"] += "x" * (size - len(json.dumps(job)))
    data = json.dumps(job).encode()
    sure(len(data) == size, f"{len(data)} bytes instead of {size}")
    return data


@trial("crash-poison", fires={"K07": 4}, full_only=True, repeat=1)
def crash_poison(run):
    """A job over which every worker dies is dead after four deaths, and its neighbours live."""
    with run.world(simulator=["--latency", "fixed:200"]) as world:
        world.start_victim("doomed", "K07=crash@1")
        (culprit,) = world.submit(1)
        for death in range(4):
            wait_for(120 * PATIENCE, f"death {death + 1}",
                     lambda death=death: world.deaths()["K07"] > death)
            if death < 3:
                world.start_victim("doomed", "K07=crash@1")
        world.start("judge")
        world.submit(50)
        world.settle_down(bound=200)
        row = world.sql(f"SELECT state, reason FROM jobs WHERE job_id = '{culprit}'")
        sure(row == [("DEAD", "poison")], f"the culprit is {row}")
        return run.verdict(world)


@trial("old-topic", fires={"replayed messages": 600}, repeat=3)
def old_topic(run):
    """Everything a second time, by producing it again and by a group that begins at the beginning."""
    with run.world(simulator=["--latency", "uniform:5,50"]) as world:
        world.start("one")
        made = [world.job() for _ in range(300)]
        world.submit_jobs(made)
        world.settle_down()
        before = world.control()["requests"]
        world.produce(made)
        world.fired["replayed messages"] += 300
        world.changes.setdefault("kafka", {})["group"] = "sluice-again"
        world.write_config()
        world.start("again")  # reads the topic from its beginning, under another group
        wait_for(60 * PATIENCE, "all was read again", lambda: sum(
            worker.metric("sluice_claims_total", result="duplicate")
            for worker in world.workers.values()) >= 900)
        world.fired["replayed messages"] += 600
        sure(world.control()["requests"] == before, "the replay made calls")
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- budgets ---

# What every commit of a balance leaves behind.
WATCH = """
CREATE TABLE balances (unit text, cap numeric, charged numeric, reserved numeric, excess numeric);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.kind = 'balance' THEN
        INSERT INTO sluice.balances VALUES (NEW.unit, NEW.cap, NEW.charged, NEW.reserved, NEW.excess);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER INSERT OR UPDATE ON allowances FOR EACH ROW EXECUTE FUNCTION watch();
"""


@trial("budget-race", fires={"kept waiting": 100, "kill -9": 1}, repeat=5)
def budget_race(run):
    """All workers race for the last ten calls of a budget, and one of them dies; then there is more."""
    budget = {"match": {"business_unit": "claims"}, "per": "day", "requests": 10}
    with run.world(simulator=["--latency", "uniform:50,300"], config={"budgets": [budget]}) as world:
        world.sql(WATCH)
        world.start("one", "two", "three")
        racers = world.submit(120, business_unit="claims")
        world.submit(60, business_unit="search")
        wait_for(30 * PATIENCE, "somebody has won", lambda: world.number(
            "SELECT count(*) FROM ledger WHERE business_unit = 'claims'") > 0)
        world.kill(world.workers["one"])
        wait_for(90 * PATIENCE, "the others wait for the budget", lambda: world.number(
            "SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'budget'") >= len(racers) - 10)
        world.fired["kept waiting"] += world.number(
            "SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'budget'")
        world.sluice("budgets", "set", "--match", "business_unit=claims", "--per", "day", "--requests",
                     "1000")
        world.settle_down()
        return run.verdict(world, balances="balances")


# --- cancellations ---

def cancel(world, jobs):
    """What the command answers, by job."""
    text = world.sluice("jobs", "cancel", "--json", *jobs)
    for line in text.splitlines():
        told = json.loads(line)
        yield told


@trial("cancel", fires={"requested": 20, "not_seen": 5, "ended": 5}, repeat=5)
def cancellations(run):
    """In every state: not seen yet, parked, queued, in a call, waiting, an orphan, ended."""
    with run.world(simulator=["--latency", "uniform:500,1500", "--retry-after", "3"]) as world:
        world.start("one", "judge")
        kinds = {
            "ended": world.submit(10, text="[[sim:latency 1]] soon"),
            "dead": world.submit(5, text="[[sim:400]] never"),
        }
        wait_for(60 * PATIENCE, "the first have ended", lambda: world.ended() >= 15)
        kinds["parked"] = world.submit(10, routing={"not_before": moment(3600)})
        kinds["calling"] = world.submit(15, text="[[sim:latency 12000]] slowly")
        kinds["waiting"] = world.submit(5, text="[[sim:429_seconds*1]] later")
        kinds["orphan"] = world.submit(20, text="[[sim:latency 15000]] slowly")
        unseen = [world.job() for _ in range(10)]
        for _, job in unseen:
            world.submitted[job["job_id"]] = {"unit": job["business_unit"], "runs": 1}
        kinds["unseen"] = [job["job_id"] for _, job in unseen]
        wait_for(30 * PATIENCE, "all but the unseen are rows", lambda: world.number(
            "SELECT count(*) FROM jobs") >= 65)
        wait_for(30 * PATIENCE, "calls are open",
                 lambda: world.workers["one"].calls_open() > 2)
        world.kill(world.workers["one"])
        time.sleep(run.dice.uniform(0, 1))
        ids = [job for jobs in kinds.values() for job in jobs]
        answers = collections.Counter()
        for told in cancel(world, ids):
            answer = told["cancel"]
            world.cancelled[told["job_id"]] = answer
            answers[answer] += 1
            world.fired["requested" if answer == "requested" else
                        "not_seen" if answer == "not_seen" else "ended"] += 1
        say("cancelled:", dict(answers))
        world.produce(unseen)
        world.start("one")
        race(run, world)
        world.settle_down()
        return run.verdict(world)


def race(run, world):
    """Cancelled at any moment of their lives."""
    world.control(latency="uniform:5,400")
    ids = world.submit(120)
    for _ in range(6):
        time.sleep(run.dice.uniform(0.05, 0.4))
        for told in cancel(world, [ids.pop(run.dice.randrange(len(ids))) for _ in range(8)]):
            world.cancelled[told["job_id"]] = told["cancel"]
            world.fired["raced"] += 1
