"""Limits of the keys of the REST shim hold for all its processes together."""
import json
import threading
import time

from api import Api, job, make_key, problem
from fleet import Fleet, claim, same, say, sure, wait_for


def flood(apis, key, count):
    """So many requests at once, spread over the processes. Returns the answers."""
    answers = []

    def ask(api):
        answers.append(api.ask("GET", "/v1/jobs?limit=1", key=key))

    threads = [threading.Thread(target=ask, args=(apis[i % len(apis)],)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def requests(fleet, apis):
    claim("two processes together answer as many requests as the key may make, and no more")
    for limit in (6, 60):
        key = make_key(fleet, "search", limit=limit)
        wait_for(5, "both know the key", lambda: all(
            api.ask("GET", "/v1/nothing", key=key).status == 404 for api in apis))
        began = time.monotonic()
        answers = flood(apis, key, 2 * limit + 20)
        refill = (time.monotonic() - began) * limit / 60
        good = sum(answer.status == 200 for answer in answers)
        same({answer.status for answer in answers}, {200, 429}, "statuses")
        say(f"    limit {limit}: {good} of {len(answers)} answered")
        sure(limit <= good <= limit + refill + 1, f"{good} answered at a limit of {limit}")
        refused = next(answer for answer in answers if answer.status == 429)
        problem(refused, 429, "rate_limited")
        sure(f"key {key[4:16]}" in refused.json["detail"] and "requests" in refused.json["detail"],
             f"whose limit: {refused.json}")
        same(refused.headers["RateLimit-Policy"], f'"key-{key[4:16]}-requests";q={limit};w=60', "policy")
        sure(1 <= int(refused.headers["Retry-After"]) <= 11, f"Retry-After {refused.headers}")


def waiting(apis, key):
    claim("who waits as long as Retry-After says is answered")
    refused = apis[0].ask("GET", "/v1/jobs?limit=1", key=key)
    same(refused.status, 429, "status before")
    time.sleep(int(refused.headers["Retry-After"]))  # what is tested: it is long enough
    same(apis[1].ask("GET", "/v1/jobs?limit=1", key=key).status, 200, "status after")


def lists(fleet, apis):
    claim("every line of a list counts: what one process took, the other one lacks")
    key = make_key(fleet, "search", limit=20)
    lines = "\n".join(json.dumps(job(f"line {i}")) for i in range(30))
    same(apis[0].ask("POST", "/v1/jobs", lines, key, Content_Type="application/x-ndjson").status, 202,
         "a list larger than what is left has its turn")
    wait_for(5, "the other one refuses",
             lambda: apis[1].ask("GET", "/v1/jobs?limit=1", key=key).status == 429)
    refused = apis[1].ask("GET", "/v1/jobs?limit=1", key=key)
    sure(20 <= int(refused.headers["Retry-After"]) <= 60, f"the debt is waited for: {refused.headers}")


def tokens(fleet, apis):
    claim("tokens of prompts are limited as well, over both, and told of apart")
    key = make_key(fleet, "search", tokens=1000, limit=1000)
    text = "word " * 300
    cost = apis[0].ask("POST", "/v1/jobs?dry_run=true", job(text), key).json["quote"]["tokens"]["input"]
    sure(100 < cost < 1000, f"tokens of the prompt: {cost}")
    answers = [apis[i % 2].ask("POST", "/v1/jobs", job(f"{i} {text}"), key) for i in range(12)]
    good = sum(answer.status == 202 for answer in answers)
    say(f"    {good} of {len(answers)} jobs of {cost} tokens")
    sure(1000 // cost <= good <= 1000 // cost + 2, f"{good} jobs of {cost} tokens at 1,000 a minute")
    refused = answers[-1]
    problem(refused, 429, "rate_limited")
    sure("tokens" in refused.json["detail"], f"which limit: {refused.json}")
    same(refused.headers["RateLimit-Policy"], f'"key-{key[4:16]}-requests";q=1000;w=60, '
         f'"key-{key[4:16]}-tokens";q=1000;w=60', "policies")
    same(apis[0].ask("POST", "/v1/jobs?dry_run=true", job(text), key).status, 200, "a quote is free")
    same(fleet.number("SELECT count(*) FROM jobs WHERE business_unit = 'search'"), 30 + good,
         "jobs: what was refused is not there")
    claim("a job of more tokens than a minute's has its turn, and then the key waits")
    large = make_key(fleet, "search", tokens=50)
    same(apis[0].ask("POST", "/v1/jobs", job("large " + text), large).status, 202, "the first")
    problem(apis[1].ask("POST", "/v1/jobs", job("larger " + text), large), 429, "rate_limited")


def main():
    with Fleet("test_key_limits") as fleet:
        apis = [Api(fleet, name).start() for name in ("one", "two")]
        requests(fleet, apis)
        hasty = make_key(fleet, "search", limit=30)
        flood(apis, hasty, 60)
        waiting(apis, hasty)
        lists(fleet, apis)
        tokens(fleet, apis)
        claim("while Postgres is away it says so, and spends no time on waiting")
        fleet.stack("down", "postgres")
        key = hasty
        wait_for(20, "it is not ready", lambda: apis[0].ask("GET", "/readyz").status == 503)
        answer = apis[0].ask("GET", "/v1/jobs?limit=1", key=key)
        problem(answer, 503, "unavailable")
        before = cpu(apis[0])
        time.sleep(2)  # the span that its use of the processor is read over
        spent = cpu(apis[0]) - before
        say(f"    {spent:.2f} s of CPU in 2 s")
        sure(spent < 1, "the loop sleeps")
        fleet.stack("up", "postgres")
        wait_for(30, "it is ready again", lambda: apis[0].ask("GET", "/readyz").status == 200)
        for api in apis:
            api.stop()


def cpu(api):
    """Seconds of CPU it has used."""
    with open(f"/proc/{api.process.pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


if __name__ == "__main__":
    main()
