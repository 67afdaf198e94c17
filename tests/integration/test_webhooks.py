"""Outcomes are posted to the address a job names: signed, under one id however often, through death of
the sender and trouble of the receiver, and never behind our own walls. Needs -DFAILPOINTS=ON."""
import datetime
import json
import sys

import test_batch_lane as batch_lane
from fleet import claim, same, say, sure, wait_for
from sink import Sink, is_signed

SECRETS = ["the new master secret", "the old master secret"]


def send(fleet, url, text="Hello.", **more):
    topic, job = fleet.job(text, callback={"url": url, "headers": {"X-Mine": "yes", "webhook-id": "forged"}}, **more)
    fleet.produce([(topic, job)])
    return job


def fates(fleet, job):
    return [row[0] for row in fleet.sql(f"SELECT fate FROM webhook_log WHERE job_id = '{job['job_id']}'")]


def await_fate(fleet, job, fate):
    wait_for(60, f"the webhook of {job['job_id']} is {fate}", lambda: fates(fleet, job) == [fate])


def await_posts(sink, path, count, seconds=60):
    wait_for(seconds, f"{count} posts to {path}", lambda: len(sink.posts(path)) >= count)
    return sink.posts(path)


def hurry(fleet):
    """Whatever waits for its next try, or for a sender that died, is due."""
    fleet.sql("UPDATE outbox SET next_try = now() WHERE kind = 'webhook'")
    fleet.sql("UPDATE webhook_endpoints SET held_until = 'epoch'")


def leave(worker):
    worker.term()
    same(worker.wait(30), 0, "exit code")


def one_id(posts):
    return len({post.headers["webhook-id"] for post in posts}) == 1


def private_is_refused(fleet, sink):
    claim("by default nothing is posted to a private address, nor to a name that leads there")
    jobs = [send(fleet, sink.url("/refused")),
            send(fleet, sink.url("/refused").replace("127.0.0.1", "localhost")),
            send(fleet, sink.url("/refused").replace("127.0.0.1", "0x7f000001")),
            send(fleet, sink.url("/refused").replace("127.0.0.1", "[::ffff:127.0.0.1]"))]
    for job in jobs:
        await_fate(fleet, job, "refused")
    same(sink.posts("/refused"), [], "posts")


def outcomes_are_posted(fleet, sink):
    claim("done, dead and cancelled are posted once each; a receiver's own check agrees, under either secret")
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()
    done = send(fleet, sink.url("/done"), business_unit="claims")
    dead = send(fleet, sink.url("/dead"), "[[sim:400]] Invalid.", business_unit="claims")
    parked = send(fleet, sink.url("/cancelled"), business_unit="claims", routing={"not_before": later})
    wait_for(30, "it is parked", lambda: fleet.number(
        f"SELECT count(*) FROM jobs WHERE job_id = '{parked['job_id']}' AND state = 'PARKED'") == 1)
    fleet.sluice("jobs", "cancel", parked["job_id"])
    secrets = fleet.sluice("webhooks", "secret", "claims").split()
    same(len(secrets), 2, "secrets while they are changed")
    for job, path, outcome in ((done, "/done", "done"), (dead, "/dead", "dead"), (parked, "/cancelled", "cancelled")):
        await_fate(fleet, job, "delivered")
        (post,) = sink.posts(path)
        body = json.loads(post.body)
        same((body["outcome"], body["job_id"]), (outcome, job["job_id"]), "what it says")
        same(body["event_id"], post.headers["webhook-id"], "the id in the body")
        same(post.headers["X-Mine"], "yes", "the job's own header")
        same(post.headers.get_all("webhook-id"), [body["event_id"]], "webhook-id headers")
        sure(all(is_signed(post, secret) for secret in secrets), f"signed: {post.headers}")
        sure(not is_signed(post, fleet.sluice("webhooks", "secret", "search").split()[0]), "not by another unit's")


def batches_are_posted(fleet, sink):
    claim("what came in a provider's batch is posted by the sync workers")
    batcher = fleet.batcher("batcher")
    job = send(fleet, sink.url("/batch"), lane="batch")
    await_fate(fleet, job, "delivered")
    (post,) = sink.posts("/batch")
    same(json.loads(post.body)["outcome"], "done", "what it says")
    same(fleet.sql(f"SELECT DISTINCT mode FROM attempts WHERE job_id = '{job['job_id']}'"), [("batch",)], "its way")
    leave(batcher)


def trouble_is_met(fleet, sink):
    claim("a failing receiver hears the same id again; a redirect is not followed; Retry-After is honoured")
    sink.answers.update({"/flaky": [500, 200], "/moved": [302], "/slow-down": [429, 200]})
    sink.pauses["/slow-down"] = 8
    flaky, moved, slow = (send(fleet, sink.url(path)) for path in ("/flaky", "/moved", "/slow-down"))
    await_fate(fleet, slow, "delivered")
    first, second = sink.posts("/slow-down")
    sure(second.at - first.at >= 8, f"it came again after {second.at - first.at:.2f} s")
    await_fate(fleet, flaky, "delivered")
    posts = sink.posts("/flaky")
    same((len(posts), one_id(posts)), (2, True), "posts, and of one id")
    wait_for(30, "the redirect counts as a failure", lambda: fleet.number(
        f"SELECT count(*) FROM webhook_tries t JOIN outbox USING (event_id) WHERE job_id = '{moved['job_id']}' "
        "AND status = 302") >= 1)
    same(sink.posts("/elsewhere"), [], "posts to where it leads")
    sure("302" in fleet.sluice("webhooks", "list"), "the list shows it")


def gone_is_gone(fleet, sink):
    claim("410 ends it, and what else is owed there; a resend gives another chance, under the same id")
    sink.answers["/gone"] = [410, 200]
    first = send(fleet, sink.url("/gone"))
    await_fate(fleet, first, "gone")
    second = send(fleet, sink.url("/gone"))
    await_fate(fleet, second, "disabled")
    same(len(sink.posts("/gone")), 1, "posts")
    fleet.sluice("webhooks", "resend", first["job_id"])
    await_fate(fleet, first, "delivered")
    posts = sink.posts("/gone")
    same((len(posts), one_id(posts)), (2, True), "posts, and of one id")
    third = send(fleet, sink.url("/gone"))
    await_fate(fleet, third, "delivered")


def death_in_the_middle(fleet, sink, worker):
    claim("a worker killed while the receiver thinks: another delivers it, under the same id")
    job = send(fleet, sink.url("/hang"))
    await_posts(sink, "/hang", 1)
    worker.kill()
    sink.hang.set()
    worker.start()
    hurry(fleet)
    await_fate(fleet, job, "delivered")
    posts = sink.posts("/hang")
    same((len(posts), one_id(posts)), (2, True), "posts, and of one id")
    leave(worker)
    for point, posts_before in (("W03", 0), ("W01", 1), ("W02", 1)):
        claim(f"death at {point}")
        path = f"/{point}"
        if point == "W02":
            sink.answers[path] = [500, 200]
        worker.start(f"{point}=crash", wait=False)
        job = send(fleet, sink.url(path))
        same(worker.wait(60), -9, "how the worker ended")
        same(len(sink.posts(path)), posts_before, "posts before")
        worker.start()
        hurry(fleet)
        await_fate(fleet, job, "delivered")
        posts = sink.posts(path)
        same((len(posts), one_id(posts)), (posts_before + 1, True), "posts, and of one id")
        leave(worker)


def main():
    config = {**batch_lane.config(), "api": {"webhook_secrets": SECRETS},
              "kafka": {"options": {"session.timeout.ms": 3000}}}
    simulator = ["--latency", "fixed:20", *batch_lane.options()]
    with Sink() as sink, batch_lane.BatchFleet("test_webhooks", simulator=simulator, config=config) as fleet:
        (worker,) = fleet.start("one")
        private_is_refused(fleet, sink)
        leave(worker)
        fleet.changes["api"]["webhook_private"] = True
        fleet.write_config()
        worker.start()
        outcomes_are_posted(fleet, sink)
        batches_are_posted(fleet, sink)
        trouble_is_met(fleet, sink)
        gone_is_gone(fleet, sink)
        death_in_the_middle(fleet, sink, worker)
        say(fleet.sluice("webhooks", "list"))
        sure(all(secret not in fleet.sluice("config", "show") for secret in SECRETS), "secrets are not shown")


if __name__ == "__main__":
    sys.exit(main())
