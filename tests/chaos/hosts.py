"""Trials of the host beneath: clocks that are wrong, disks that are full, limits that are small, two
versions side by side, and everything at once for a long time. As in trials.py."""
import ctypes
import json
import os
import shutil
import subprocess
import threading
import time

from world import PATIENCE, REPAIR, Failed, World, say, sure, wait_for
import fleet as base
from lanes import BATCH_DAY, BatchWorld
from trials import feeder, moment, trial

# --- clocks ---

LIBRARY = os.path.join(base.BUILD, "tests", "chaos", "libwrong_clock.so")
HOUR = 3600


def lacks_library():
    return None if os.path.exists(LIBRARY) else f"{LIBRARY} is not built"


class Clock:
    """The wall clock of whoever is started with it."""

    def __init__(self, world, name, seconds=0):
        self.path = os.path.join(world.directory, f"clock-{name}")
        self.world = world
        self.set(seconds)
        os.chmod(self.path, 0o644)

    def set(self, seconds):
        """In place: who has it mapped sees it at once."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(handle, int(seconds).to_bytes(8, "little", signed=True), 0)
        os.close(handle)
        self.world.fired["jumps"] += 1

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "CHAOS_CLOCK": self.path}

    def words(self):
        return ["env", *(f"{name}={value}" for name, value in self.environment().items())]


def start_by(world, name, seconds):
    """A worker with a clock that is wrong by so much."""
    clock = Clock(world, name, seconds)
    worker = world.workers.setdefault(name, base.Worker(world, name))
    worker.wrapper = clock.words()
    worker.start(wait=False)
    wait_for(30 * PATIENCE, f"worker {name} is ready", worker.is_ready)
    return clock


@trial("clocks", fires={"jumps": 12, "calls by wrong clocks": 60, "deadlines": 40}, repeat=4,
       lacks=lacks_library)
def clocks(run):
    """Workers an hour early, an hour late, and jumping: nobody is taken for dead, no deadline passes
    early, no job starts too soon, and each is called once."""
    with run.world(simulator=["--latency", "uniform:20,200"]) as world:
        world.start("right")
        start_by(world, "early", -HOUR)
        start_by(world, "late", HOUR)
        jumping = start_by(world, "jumping", 0)
        feed = feeder(world, 20)
        for _ in range(20 if run.full else 10):
            feed()
            world.submit(4, routing={"deadline": moment(HOUR / 2)})
            world.fired["deadlines"] += 4
            jumping.set(run.dice.choice((-HOUR, -60, -1, 1, 60, HOUR)))
            time.sleep(run.dice.uniform(0.3, 1))
        later = world.submit(10, routing={"not_before": moment(8)})
        world.settle_down()
        wrong = ", ".join(str(world.workers[name].process.pid) for name in ("early", "late", "jumping"))
        world.fired["calls by wrong clocks"] += world.number(
            f"SELECT count(*) FROM attempts JOIN workers USING (worker_id) WHERE pid IN ({wrong})")
        ends = world.sql("SELECT outcome, reason FROM results WHERE reason = 'deadline'")
        sure(ends == [], f"{len(ends)} jobs died of a deadline that is half an hour away")
        wanted = ", ".join(f"'{job}'" for job in later)
        early = world.number(
            "SELECT count(*) FROM attempts a JOIN jobs j USING (job_id) WHERE "
            f"job_id IN ({wanted}) AND a.sent_at < j.created_at + interval '5 s'")
        sure(early == 0, f"{early} jobs were called before their time")
        return run.verdict(world, calls_once=True)


@trial("clocks-postgres", fires={"jumps": 3, "calls open": 8}, repeat=4, lacks=lacks_library)
def clocks_postgres(run):
    """The database's clock, by which workers are judged, leaps five minutes on, and then back: nobody
    is taken for dead for it."""
    with run.world(simulator=["--latency", "uniform:2000,4000"]) as world:
        clock = Clock(world, "postgres")
        world.restart_postgres(clock.environment())
        world.start("one", "two", "three")
        feed = feeder(world, 15, 400)
        for _ in range(3 if run.full else 1):
            wait_for(30 * PATIENCE, "every worker is fit to judge the others", lambda: world.number(
                "SELECT count(*) FROM workers WHERE started_at < clock_timestamp() - interval '22 s'") >= 3
                or feed(), every=1)
            wait_for(30 * PATIENCE, "calls are open", lambda: all(
                worker.calls_open() > 2 for worker in world.workers.values()) or feed(), every=0.3)
            world.fired["calls open"] += sum(w.calls_open() for w in world.workers.values())
            clock.set(300)
            world.submit(60)
            wait_for(60 * PATIENCE, "all has ended", lambda: world.left() <= 0, every=0.5)
            clock.set(0)  # nothing is open: what is written now is never compared with before
            world.submit(60)
            wait_for(60 * PATIENCE, "all has ended", lambda: world.left() <= 0, every=0.5)
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- disks ---

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18


def mount(source, target, kind, flags, options):
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags),
                  options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def lacks_mounts():
    """Small disks are mounted where nobody but the trial and what it starts sees them."""
    if os.geteuid() != 0:
        return "only root can mount a small disk"
    probe = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True, check=False)
    return None if probe.returncode == 0 else "this machine does not let us mount a small disk"


class Disk:
    """A file system of its own, of so many bytes, that can be filled and emptied."""

    def __init__(self, path, size, owner=None):
        self.path, self.ballast = path, os.path.join(path, "ballast")
        if LIBC.unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        mount("none", "/", "", MS_REC | MS_PRIVATE, "")
        os.makedirs(path, exist_ok=True)
        mount("tmpfs", path, "tmpfs", 0, f"size={size},mode=755")
        if owner:
            shutil.chown(path, owner, owner)

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return

    def empty(self):
        os.unlink(self.ballast)


def logged(path, text="No space left on device"):
    with open(path, errors="replace", encoding="utf-8") as log:
        return sum(text in line for line in log)


def fill_write_ahead_log(world, log):
    """A segment more than there is room for: Postgres gives up."""
    before = logged(log, "PANIC")

    def gave_up():
        try:
            world.sql("SELECT pg_logical_emit_message(false, 'chaos', 'more'), pg_switch_wal()")
        except Failed:
            pass  # that it fails is what is wanted
        return logged(log, "PANIC") > before
    wait_for(30 * PATIENCE, "Postgres has no room for its log of writes", gave_up, every=0.5)
    world.fired["panics"] += 1


@trial("disk-postgres", fires={"no space": 2, "full disk": 2, "panics": 1}, repeat=4,
       lacks=lacks_mounts)
def disk_postgres(run):
    """The disk of Postgres, its log of writes included, is full under load, and is made room on."""
    with run.world(simulator=["--latency", "uniform:50,400"]) as world:
        home = os.path.realpath(os.path.join(world.stack_directory, "postgres"))
        disk = Disk(os.path.join(world.directory, "small"), "400m", "postgres")
        world.move_postgres(home, disk.path)
        world.start("one", "two")
        log = home + "/log"
        for turn in range(4 if run.full else 2):
            world.submit(150)
            wait_for(30 * PATIENCE, "calls are open",
                     lambda: sum(worker.calls_open() for worker in world.workers.values()) > 5)
            before = logged(log)
            disk.fill()
            world.fired["full disk"] += 1
            feed = feeder(world, 20, 1500)
            wait_for(60 * PATIENCE, "Postgres has met the end of its disk",
                     lambda before=before: logged(log) > before or feed(), every=0.5)
            if turn % 2:
                fill_write_ahead_log(world, log)
            world.fired["no space"] += logged(log) - before
            disk.empty()
            world.revive_postgres()
        world.settle_down()
        return run.verdict(world)


@trial("disk-spool", fires={"not spooled": 2, "postgres away": 1, "calls ended": 5}, repeat=4,
       lacks=lacks_mounts)
def disk_spool(run):
    """Postgres is away and the disk of the spool is full: finished calls wait in memory, and are settled."""
    with run.world(simulator=["--latency", "uniform:1000,6000"]) as world:
        disk = Disk(os.path.join(world.directory, "spool"), "64k")
        world.start("one", "two")
        feed = feeder(world, 20, 400)
        workers = [world.workers[name] for name in ("one", "two")]
        wait_for(40 * PATIENCE, "both have calls open",
                 lambda: all(worker.calls_open() > 5 for worker in workers) or feed(), every=0.5)
        disk.fill()
        world.stack("down", "postgres")
        world.fired["postgres away"] += 1
        wait_for(30 * PATIENCE, "both have tried to spool",
                 lambda: all(worker.logged("event=spool_failed") for worker in workers))
        wait_for(30 * PATIENCE, "all calls have ended",
                 lambda: not any(worker.calls_open() for worker in workers))
        world.fired["calls ended"] += sum(worker.logged("event=call ") for worker in workers)
        world.fired["not spooled"] += sum(worker.logged("event=spool_failed") for worker in workers)
        world.stack("up", "postgres")
        world.settle_down()
        # Nobody died: what could not be written was not lost either.
        return run.verdict(world)


@trial("disk-batch", fires={"no space": 1, "full disk": 2}, repeat=4, lacks=lacks_mounts)
def disk_batch(run):
    """The folder in which a batch worker makes and reads files is full for a while."""
    with BatchWorld(run.name, run.seed, kafka=run.plan.kafka, simulator=BATCH_DAY) as world:
        disk = Disk(os.path.join(world.directory, "batch"), "256k")
        world.start("sync")
        worker = world.batcher("one")
        for _ in range(2):
            disk.fill()
            world.fired["full disk"] += 1
            before = worker.logged("No space left on device")
            world.submit_batched(40)
            wait_for(40 * PATIENCE, "it has met the end of its disk",
                     lambda before=before: worker.logged("No space left on device") > before)
            world.fired["no space"] += worker.logged("No space left on device") - before
            disk.empty()
            world.submit_batched(40)
            wait_for(60 * PATIENCE, "batches go on", lambda: world.number(
                "SELECT count(*) FROM batches WHERE state IN ('running', 'ended', 'imported')") > 0)
        world.settle_down(bound=300)
        return run.verdict(world)


# --- limits ---

class Throttle(threading.Thread):
    """Gives a process a tenth of the time, in slices."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.over, self.slices = process, threading.Event(), 0

    def run(self):
        while not self.over.is_set() and self.process.poll() is None:
            self.process.send_signal(base.signal.SIGSTOP)
            self.over.wait(0.09)
            self.process.send_signal(base.signal.SIGCONT)
            self.slices += 1
            self.over.wait(0.01)

    def stop(self):
        self.over.set()
        self.join()


@trial("poor-host", fires={"slices": 100, "without files": 1}, repeat=4)
def poor_host(run):
    """A worker with too few file descriptors for its calls, and one with a tenth of a processor: they are
    slow, and lose nothing."""
    with run.world(simulator=["--latency", "uniform:300,900"],
                   config={"worker": {"max_in_flight": 200}}) as world:
        world.start("judge")
        few = world.workers.setdefault("few", base.Worker(world, "few"))
        few.wrapper = ["prlimit", "--nofile=64:64"]
        few.start(wait=False)
        slow = world.workers.setdefault("slow", base.Worker(world, "slow"))
        slow.start(wait=False)
        wait_for(30 * PATIENCE, "both are ready", lambda: few.is_ready() and slow.is_ready())
        throttle = Throttle(slow.process)
        throttle.start()
        feed = feeder(world, 100, 2500)
        deadline = time.monotonic() + 40 * PATIENCE
        while time.monotonic() < deadline and (throttle.slices < 100 or not starves(few)):
            feed()
            time.sleep(0.5)
        world.fired["without files"] += starves(few)
        world.fired["slices"] += throttle.slices
        throttle.stop()
        world.settle_down(bound=240)
        sure(few.is_running() and slow.is_running(), "a worker died of it")
        return run.verdict(world)


def starves(worker):
    """It has as many files open as it may, or was told so."""
    open_files = len(os.listdir(f"/proc/{worker.process.pid}/fd"))
    return open_files >= 63 or worker.logged("Too many open files") > 0


# --- sweepers, and topics that are cut short ---

SWEEP = "SELECT repair_orphans(2000), fold_rollups(20000), raise_alerts(), expire_leases()"


@trial("sweepers", fires={"sweeps": 200, "kill -9": 3, "orphans": 1}, repeat=10)
def sweepers(run):
    """Many sweep at once, without a pause, beside workers that settle and die: each repair is made once."""
    with run.world(simulator=["--latency", "uniform:100,900", "--fault", "503=0.03"],
                   config={"worker": {"max_in_flight": 12}}) as world:
        names = ["one", "two", "three"]
        world.start("judge", *names)
        script = os.path.join(world.directory, "sweep.sql")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"SET search_path = sluice;\n{SWEEP}\n\\watch 0.05\n")
        logs = [os.path.join(world.directory, f"sweeper-{i}.log") for i in range(3)]
        for path in logs:
            with open(path, "wb") as log:
                world.others.append(subprocess.Popen(
                    ["psql", "-X", "-q", "-A", "-t", world.direct["postgres"], "-f", script],
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        for name in names:
            world.submit(100)
            wait_for(20 * PATIENCE, f"{name} calls", lambda name=name: world.workers[name].calls_open() > 2
                     or world.submit(5) and False, every=0.3)
            world.kill(world.workers[name])
            time.sleep(run.dice.uniform(0, 2))
            world.workers[name].start(wait=False)
        world.settle_down()
        for process in world.others:
            process.kill()
        for path in logs:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            sure("ERROR" not in text, f"a sweep failed: {text[-500:]}")
            world.fired["sweeps"] += sum("|" in line for line in text.splitlines())
        world.fired["orphans"] += world.number("SELECT coalesce(sum(count), 0) FROM repairs WHERE kind = 'orphan'")
        return run.verdict(world)


@trial("cut-topics", fires={"messages cut": 200, "unfinished": 20}, kafka="real", full_only=True, repeat=4)
def cut_topics(run):
    """What is claimed is deleted from its topics while its jobs are unfinished: from then on a job is a row."""
    with run.world(simulator=["--latency", "uniform:2000,8000", "--fault", "not_json=0.1,503=0.05"]) as world:
        world.start("one", "two")
        for _ in range(3):
            world.submit(100)
            wait_for(60 * PATIENCE, "all are rows",
                     lambda: world.number("SELECT count(*) FROM jobs") >= len(world.submitted))
            world.fired["unfinished"] += world.left()
            world.cut_topics()
            victim = world.workers[run.dice.choice(("one", "two"))]
            world.kill(victim)
            victim.start(wait=False)
        world.settle_down(bound=240)
        return run.verdict(world, cut=world.cut)


# --- two versions ---

ROOT = base.SOURCE


def lacks_old_version():
    if os.environ.get("SLUICE_OLD_BUILD"):
        return None
    known = subprocess.run(["git", "-C", ROOT, "rev-parse", "--verify", "-q", before_last_migration() + "^{commit}"],
                           capture_output=True, check=False)
    return None if known.returncode == 0 else "no older version: give SLUICE_OLD_BUILD, or a checkout with its history"


def before_last_migration():
    """The commit before the one that added the newest migration: it knows one table or function less."""
    found = subprocess.run(["git", "-C", ROOT, "log", "-1", "--diff-filter=A", "--format=%H", "--", "sql/0*.sql"],
                           capture_output=True, check=False, text=True)
    return (found.stdout.strip() or "none") + "^"


def old_program(directory):
    """`sluice` of the version before, built if it is not given."""
    if os.environ.get("SLUICE_OLD_BUILD"):
        return os.path.join(os.environ["SLUICE_OLD_BUILD"], "sluice")
    tree = os.path.join(directory, "old")
    archive = subprocess.run(["git", "-C", ROOT, "archive", before_last_migration()], check=True, capture_output=True)
    os.makedirs(tree)
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    env = dict(os.environ)
    if "CC" not in env and shutil.which("ccache"):
        env["CC"] = "ccache gcc"
    for words in (["cmake", "-S", tree, "-B", tree + "/build", "-G", "Ninja", "-DFAILPOINTS=ON", "-Wno-dev"],
                  ["cmake", "--build", tree + "/build", "--target", "sluice"]):
        done = subprocess.run(words, env=env, capture_output=True, check=False, text=True)
        sure(done.returncode == 0, f"the older version does not build: {(done.stdout + done.stderr)[-1000:]}")
    return tree + "/build/sluice"


class UpgradeWorld(World):
    """One whose tables are those of the version before, until they are migrated."""

    def __init__(self, *words, **more):
        self.old = None
        super().__init__(*words, **more)

    def sluice(self, *words, **more):
        if words == ("migrate",) and self.old is None:
            self.old = old_program(self.directory)
            return self.run([self.old, *words], **more)
        return super().sluice(*words, **more)

    def replace(self, name, program):
        """In good order, under load."""
        worker = self.workers.setdefault(name, base.Worker(self, name))
        if worker.is_running():
            worker.term()
            sure(worker.wait(60 * PATIENCE) == 0, f"worker {name} did not end well")
        worker.program = program
        worker.start(wait=False)
        wait_for(60 * PATIENCE, f"worker {name} is ready", worker.is_ready)


@trial("upgrade", fires={"old calls": 50, "new calls": 50, "replaced": 9, "mixed": 2}, full_only=True, repeat=3,
       lacks=lacks_old_version)
def upgrade(run):
    """The version before and this one work side by side while the tables are migrated under load; back again,
    and on: each job is called once."""
    with UpgradeWorld(run.name, run.seed, kafka=run.plan.kafka, simulator=["--latency", "uniform:100,900"]) as world:
        names = ["one", "two", "three"]
        load = Load(world, 10)
        for name in names:
            world.replace(name, world.old)
        load.start()
        wait_for(60 * PATIENCE, "the old version works", lambda: world.ended() > 30)
        world.sluice("migrate")  # the old ones go on meanwhile
        for program, kind in ((base.SLUICE, "new calls"), (world.old, "old calls"), (base.SLUICE, "new calls")):
            for name in names:
                world.replace(name, program)
                world.fired["replaced"] += 1
                before = world.ended()
                wait_for(60 * PATIENCE, "jobs end", lambda before=before: world.ended() > before + 20)
            pids = ", ".join(str(world.workers[name].process.pid) for name in names)
            world.fired[kind] += world.number(
                f"SELECT count(*) FROM attempts JOIN workers USING (worker_id) WHERE pid IN ({pids})")
            world.fired["mixed"] += 1
        load.stop()
        world.settle_down()
        return run.verdict(world, calls_once=True)


# --- a long time ---

class Load(threading.Thread):
    """Jobs at a steady pace until it is stopped."""

    def __init__(self, world, per_second, make=None):
        super().__init__(daemon=True)
        self.world, self.per_second, self.over = world, per_second, threading.Event()
        self.make = make or (lambda count: world.submit(count))

    def run(self):
        while not self.over.wait(1):
            self.make(self.per_second)

    def stop(self):
        self.over.set()
        self.join()


class Samples(threading.Thread):
    """What each process holds, every few seconds: for I11."""

    def __init__(self, world, every=2.0):
        super().__init__(daemon=True)
        self.world, self.every, self.over, self.rows = world, every, threading.Event(), []

    def run(self):
        while not self.over.wait(self.every):
            for name, worker in list(self.world.workers.items()):
                try:
                    self.look(name, worker.process.pid)
                except OSError:
                    continue  # it is just being replaced

    def look(self, name, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            told = dict(line.split(":", 1) for line in file)
        self.rows.append({"worker": f"{name} {pid}", "at": time.monotonic(),
                          "kib": int(told["VmRSS"].split()[0]), "threads": int(told["Threads"]),
                          "files": len(os.listdir(f"/proc/{pid}/fd"))})

    def stop(self):
        self.over.set()
        self.join()


SOAK = "429_seconds=0.01,500=0.01,503=0.01,reset_body=0.003,not_json=0.01,violation=0.01,content_filter=0.005"


def soak_fault(run, world):
    """One of everything, at a low rate."""
    kind = run.dice.choice(("kill", "kill", "freeze", "postgres", "kafka", "cut", "cut", "cancel", "term"))
    name = run.dice.choice(("one", "two", "three"))
    worker = world.workers[name]
    if kind == "kill":
        world.kill(worker)
        worker.start(wait=False)
    elif kind == "term":
        worker.term()
        worker.wait(60 * PATIENCE)
        worker.start(wait=False)
    elif kind == "freeze":
        world.freeze(worker)
        time.sleep(run.dice.uniform(1, 25))
        world.thaw(worker)
    elif kind in ("postgres", "kafka"):
        world.stack("down", kind)
        time.sleep(run.dice.uniform(0, 5))
        world.stack("up", kind)
    elif kind == "cut":
        world.proxies[run.dice.choice(sorted(world.proxies))].cut()
    else:
        job = run.dice.choice(sorted(world.submitted))
        for line in world.sluice("jobs", "cancel", "--json", job).splitlines():
            told = json.loads(line)
            world.cancelled.setdefault(told["job_id"], told["cancel"])
    world.fired[kind] += 1


@trial("soak", fires={"kill": 1, "cut": 1, "I11 samples": 100}, full_only=True, repeat=1,
       seconds=60 * float(os.environ.get("CHAOS_SOAK_MINUTES", 20)) + 900)
def soak(run):
    """Every fault at a low rate under a steady load, for CHAOS_SOAK_MINUTES (20); the steady worker, which nobody
    touches, does not grow."""
    minutes = float(os.environ.get("CHAOS_SOAK_MINUTES", 20))
    with run.world(simulator=["--latency", "uniform:50,800", "--retry-after", "0.3", "--fault", SOAK],
                   proxies=("postgres", "kafka", "provider"), kafka="real") as world:
        world.start("steady", "one", "two", "three")
        samples, load = Samples(world), Load(world, 20)
        samples.start()
        load.start()
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            time.sleep(min(run.dice.uniform(5, 30), max(0, until - time.monotonic())))
            soak_fault(run, world)
        load.stop()
        world.settle_down(bound=300)
        samples.stop()
        world.fired["I11 samples"] += len(samples.rows)
        say(f"{len(world.submitted)} jobs in {minutes:g} minutes")
        return run.verdict(world, samples=samples.rows)
