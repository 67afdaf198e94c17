"""Stopping, cancelling, running again and hearing twice: nothing is paid for that was finished, given
up without need, or not wanted any more."""
import datetime
import sys
import time

import promises
from fleet import TIERS, Fleet, claim, same, say, sure, wait_for

OPEN = 100


def put_under_load(fleet, worker, ids, count):
    ids += fleet.produce([fleet.job(tier=TIERS[i % 3]) for i in range(count)])
    wait_for(60, f"{OPEN} calls are open", lambda: worker.calls_open() >= OPEN, 0.05)


def held_by_nobody(fleet):
    same(fleet.number("SELECT count(*) FROM jobs WHERE state = 'CLAIMED'"), 0, "jobs held by nobody")
    same(fleet.number("SELECT count(*) FROM jobs WHERE crash_count > 0"), 0, "jobs blamed for a death")


def stop_in_the_middle(fleet, ids):
    """Calls that end within the grace period are settled; the rest is handed back."""
    (worker,) = fleet.start("one")
    put_under_load(fleet, worker, ids, 600)
    began = time.monotonic()
    worker.term()
    same(worker.wait(20), 0, "exit code")
    held_by_nobody(fleet)
    same(fleet.number("SELECT count(*) FROM attempts WHERE state IN ('sent', 'unknown')"), 0, "calls without an end")
    say(f"stopped within {time.monotonic() - began:.1f} s; {fleet.ended()} of {len(ids)} jobs had ended")
    sure(fleet.ended() < len(ids), "it was stopped in the middle")


def stop_at_once(fleet, ids):
    """A second SIGTERM does not wait: open calls are given up as unknown, their jobs handed back."""
    fleet.control(latency="fixed:30000")
    (worker,) = fleet.start("one")
    put_under_load(fleet, worker, ids, 0)
    worker.term()
    wait_for(10, "it is stopping", lambda: worker.logged("event=stopping") >= 2)
    began = time.monotonic()
    worker.term()
    same(worker.wait(15), 0, "exit code")
    held_by_nobody(fleet)
    unknown = fleet.number("SELECT count(*) FROM attempts WHERE state = 'unknown'")
    sure(unknown >= OPEN, f"{unknown} calls were given up")
    say(f"stopped within {time.monotonic() - began:.1f} s of the second; {unknown} calls given up")
    fleet.control(latency="fixed:50")


def state_of(fleet, job_id):
    return fleet.value(f"SELECT state FROM jobs WHERE job_id = '{job_id}'")


def await_state(fleet, job_id, state):
    wait_for(60, f"{job_id} is {state}", lambda: state_of(fleet, job_id) == state)


def send(fleet, text="Hello.", **more):
    topic, job = fleet.job(text, **more)
    fleet.produce([(topic, job)])
    return topic, job, job["job_id"]


def cancel_everywhere(fleet, ids):
    (worker,) = fleet.start("one")
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()
    _, _, parked = send(fleet, routing={"not_before": later})
    _, _, claimed = send(fleet, "[[sim:latency 3000]] Slow.")
    await_state(fleet, parked, "PARKED")
    wait_for(30, "the slow call is open", lambda: worker.calls_open() == 1)
    sure("requested" in fleet.sluice("jobs", "cancel", claimed), "cancelling a claimed job is requested")
    fleet.sluice("jobs", "cancel", parked)
    await_state(fleet, parked, "CANCELLED")
    await_state(fleet, claimed, "CANCELLED")
    same(fleet.sql(f"SELECT kind FROM ledger WHERE job_id = '{claimed}'"), [("charge",)], "its cost is kept")
    same(fleet.number(f"SELECT count(*) FROM results WHERE job_id = '{claimed}' AND output IS NOT NULL"), 0,
         "outputs of it")

    topic, job = fleet.job()
    calls = fleet.control()["requests"]
    sure("not_seen" in fleet.sluice("jobs", "cancel", job["job_id"]), "a job that nobody has seen")
    fleet.produce([(topic, job)])
    wait_for(30, "its message is dropped",
             lambda: worker.metric("sluice_claims_total", result="duplicate") >= 1)
    same(fleet.control()["requests"], calls, "calls for it")
    ids += [parked, claimed]


def run_again(fleet, ids):
    """A done and a dead job, each with a new run; and one that is cancelled while it is QUEUED."""
    (worker,) = fleet.workers.values()
    _, _, done = send(fleet)
    _, _, dead = send(fleet, "[[sim:400]] Invalid.")
    await_state(fleet, done, "DONE")
    await_state(fleet, dead, "DEAD")
    fleet.sluice("jobs", "retry", done, dead)
    for job_id, outcome in ((done, "DONE"), (dead, "DEAD")):
        wait_for(60, f"the second run of {job_id}", lambda: fleet.sql(
            f"SELECT run, outcome FROM results WHERE job_id = '{job_id}' ORDER BY run") == [
                ("0", outcome), ("1", outcome)])
    wait_for(60, "the outbox is empty", lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
    worker.term()
    same(worker.wait(30), 0, "exit code")
    calls = fleet.control()["requests"]
    fleet.sluice("jobs", "retry", done)
    same(state_of(fleet, done), "QUEUED", "a job that waits to be run again")
    fleet.sluice("jobs", "cancel", done)
    worker.start()
    await_state(fleet, done, "CANCELLED")
    wait_for(60, "its message is sent and dropped", lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
    same(fleet.control()["requests"], calls, "calls for it")
    ids += [done, dead]
    return 3  # runs beyond the first


def hear_twice(fleet, sent):
    """Everything again after the end: from the producer, and by an offset reset."""
    (worker,) = fleet.workers.values()
    calls = fleet.control()["requests"]
    before = worker.metric("sluice_claims_total", result="duplicate")
    fleet.produce(sent)
    wait_for(60, "all copies are dropped", lambda: worker.metric(
        "sluice_claims_total", result="duplicate") >= before + len(sent))
    same(fleet.control()["requests"], calls, "calls for copies")
    worker.term()
    same(worker.wait(30), 0, "exit code")
    fleet.write_config(kafka={"group": "sluice-again"})
    worker.start()
    wait_for(90, "all topics are read from their beginning", lambda: worker.metric(
        "sluice_claims_total", result="duplicate") >= 2 * len(sent))
    same(fleet.control()["requests"], calls, "calls after an offset reset")
    same(worker.metric("sluice_claims_total", result="won"), 0, "jobs claimed after an offset reset")


def main():
    with Fleet("test_stop_and_cancel", simulator=["--latency", "uniform:1000,2000"]) as fleet:
        ids = []
        claim("SIGTERM: what is open is finished, the rest handed back, nothing lost")
        stop_in_the_middle(fleet, ids)
        claim("a second SIGTERM: now")
        stop_at_once(fleet, ids)
        claim("jobs that were handed back are finished by the next worker")
        fleet.start("one")
        fleet.wait_for_ends(len(ids), 60)
        fleet.stop()

        claim("cancel: claimed, parked, and unseen")
        cancel_everywhere(fleet, ids)
        claim("retry: a done job, a dead one, and one cancelled while it is queued")
        runs = run_again(fleet, ids)
        claim("copies after the end and an offset reset cost nothing")
        sent = [fleet.job(tier=TIERS[i % 3]) for i in range(300)]
        ids += fleet.produce(sent)
        fleet.wait_for_ends(len(ids) + runs, 60)
        hear_twice(fleet, sent)

        claim("each run ended once, and ledger = bill")
        promises.check_all(fleet, ids, crashes=True, runs=runs + 1)
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
