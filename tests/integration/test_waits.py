"""What a job has waited for: every wait with its reason, since when and for how long, whether its row waited, a worker
held it, or a provider's batch; a job that never waits keeps nothing."""
import json
import time

from api import Api, job, make_key
from batch_fleet import BatchFleet, config, options
from fleet import claim, same, sure, wait_for


def explain(api, key, one):
    answer = api.ask("GET", f"/v1/jobs/{one}/explain", key=key)
    same(answer.status, 200, f"status of {answer.body[:300]}")
    waits = answer.json["waits"]
    same([wait["since"] for wait in waits], sorted(wait["since"] for wait in waits), "oldest first")
    for wait in waits:
        sure(wait["words"] and wait["seconds"] >= 0 and wait["times"] >= 1, f"a wait: {wait}")
        sure(wait["until"] is None or wait["since"] <= wait["until"], f"its times: {wait}")
    return answer.json


def reasons(api, key, ids):
    """Those of the jobs' waits that are over."""
    return {wait["reason"] for one in ids for wait in explain(api, key, one)["waits"] if wait["until"]}


def submit(api, key, count, text="Say hello", **routing):
    made = []
    for i in range(count):
        answer = api.ask("POST", "/v1/jobs", job(f"{text} {i}", routing={"tier": "economy", **routing}), key)
        same(answer.status, 202, f"status of {answer.body[:300]}")
        made.append(answer.json["job_id"])
    return made


def finish(fleet, api, key, ids, seconds=60):
    for one in ids:
        wait_for(seconds, f"{one} is done", lambda: api.ask("GET", f"/v1/jobs/{one}", key=key).json.get("state") == "done")


def keeps_little(fleet):
    claim("waits in a row for the same thing are one; more than twenty are summed up")
    folded = json.loads(fleet.value(
        "WITH RECURSIVE w(n, waits) AS (SELECT 0, NULL::jsonb UNION ALL SELECT n + 1, wait_over(waits, 'r' || n / 2, "
        "now() - interval '2 s') FROM w WHERE n < 60) SELECT waits FROM w ORDER BY n DESC LIMIT 1"))
    same((len(folded), folded[0]["reason"], folded[1]["reason"], folded[-1]["reason"]), (20, "earlier", "r11", "r29"), "what is kept")
    same((sum(one["times"] for one in folded), sum(one["ms"] for one in folded)), (60, 120000), "times and time altogether")


def never_waits(fleet, api, key):
    claim("a job that never waits keeps nothing of it")
    (one,) = fleet.produce([fleet.job(output=None, business_unit="search")])
    finish(fleet, api, key, [one])
    same(fleet.sql(f"SELECT waits FROM jobs WHERE job_id = '{one}'"), [(None,)], "its row")
    same(fleet.sql(f"SELECT waited_for, waited_ms FROM attempts WHERE job_id = '{one}'"), [(None, None)], "its attempt")
    same(explain(api, key, one)["waits"], [], "what is told")


def in_its_row(fleet, api, key):
    claim("what a parked job waits for is told while it waits and when that is over")
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    (one,) = submit(api, key, 1, not_before=later)
    wait_for(20, "it is parked", lambda: explain(api, key, one)["state"] == "parked")
    (now,) = [wait for wait in explain(api, key, one)["waits"] if wait["until"] is None]
    same((now["reason"], now["times"]), ("not_before", 1), "what it waits for")
    sure("not to be started" in now["words"], f"in words: {now}")
    same(api.ask("DELETE", f"/v1/jobs/{one}", key=key).status, 202, "cancel")
    wait_for(20, "it has ended", lambda: explain(api, key, one)["state"] == "cancelled")
    (over,) = [wait for wait in explain(api, key, one)["waits"] if wait["reason"] == "not_before"]
    same((over["since"], bool(over["until"])), (now["since"], True), "the wait that is over")
    told = fleet.sluice("explain", one)
    sure("not_before" in told and "still" not in told and over["since"] in told, f"sluice explain: {told}")


def in_a_worker(fleet, api, key):
    claim("so is what a worker holds a job for: a provider's limit, a back-off")
    fleet.control(fault="429=1")
    ids = submit(api, key, 10)
    wait_for(30, "some were refused", lambda: fleet.number("SELECT count(*) FROM attempts WHERE state = 'throttled'") >= 3)
    fleet.control(fault="none=0")
    finish(fleet, api, key, ids)
    sure(reasons(api, key, ids) & {"rate_hold", "quota"}, f"reasons: {reasons(api, key, ids)}")
    ids = submit(api, key, 10, "[[sim:500*2]] Say hello")
    finish(fleet, api, key, ids)
    sure("backoff" in reasons(api, key, ids), f"reasons: {reasons(api, key, ids)}")
    same(fleet.number("SELECT count(*) FROM attempts WHERE (waited_for IS NULL) <> (waited_ms IS NULL) OR waited_ms < 100"), 0,
         "attempts that tell half of it, or of nothing")


def with_a_bad_key(fleet, api, key):
    claim("a job that parks for a bad key tells so afterwards")
    fleet.control(fault="401=1")
    ids = submit(api, key, 3)
    wait_for(30, "they wait for it", lambda: all("credential" in {wait["reason"] for wait in explain(api, key, one)["waits"]}
                                                 for one in ids))
    fleet.control(fault="none=0")
    finish(fleet, api, key, ids)
    for one in ids:
        waits = [wait for wait in explain(api, key, one)["waits"] if wait["reason"] == "credential"]
        sure(waits and all(wait["until"] for wait in waits), f"waits that are over: {waits}")
        sure(fleet.number(f"SELECT jsonb_array_length(waits) FROM jobs WHERE job_id = '{one}'") > 0, "its row keeps them")


def in_a_batch(fleet, api, key):
    claim("and of a provider's batch")
    ids = submit(api, key, 2, lane="batch")
    wait_for(30, "they are in one", lambda: all(explain(api, key, one)["state"] in ("batched", "done") for one in ids))
    finish(fleet, api, key, ids, 90)
    for one in ids:
        (wait,) = [wait for wait in explain(api, key, one)["waits"] if wait["reason"] == "batch"]
        sure(wait["until"] and wait["seconds"] > 0.1, f"a wait that is over: {wait}")


def main():
    changes = config(max_age="500ms")
    changes["worker"].update(unavailable={"first": "2s", "longest": "2s", "max_tries": 5}, longest_wait_in_memory="20s",
                             throttled={"first": "500ms", "longest": "1s", "max_tries": 8})
    with BatchFleet("test_waits", simulator=options(), config=changes) as fleet:
        fleet.start("one")
        fleet.batcher("batch")
        key = make_key(fleet, "search")
        api = Api(fleet).start()
        wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/jobs", key=key).status == 200)
        keeps_little(fleet)
        never_waits(fleet, api, key)
        in_its_row(fleet, api, key)
        in_a_worker(fleet, api, key)
        in_a_batch(fleet, api, key)
        fleet.stop()
        fleet.changes["worker"]["longest_wait_in_memory"] = "100ms"
        fleet.write_config()
        fleet.start("one")
        with_a_bad_key(fleet, api, key)
        api.stop()
        fleet.stop()


if __name__ == "__main__":
    main()
