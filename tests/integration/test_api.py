"""The REST shim: jobs go in over HTTP and come out of Postgres, each once, whoever dies."""
import json
import os
import re
import threading
import time
import uuid

from api import Api, job, make_key, problem
from fleet import Fleet, claim, same, sure, wait_for


def submitting(fleet, api, key):
    claim("a job is accepted with id, place and quote, runs, and a long poll brings its end")
    answer = api.ask("POST", "/v1/jobs", job(), key)
    same(answer.status, 202, f"status ({answer.body})")
    made = answer.json
    same(answer.headers["Location"], f"/v1/jobs/{made['job_id']}", "Location")
    same((made["quote"]["tier"], made["quote"]["lane"]), ("economy", "normal"), "where to")
    sure(0 < float(made["quote"]["cost_usd"]["likely"]) <= float(made["quote"]["cost_usd"]["most"]),
         f"a range of costs: {made['quote']}")
    sure(made["quote"]["tokens"]["input"] > 0, "tokens")
    shown = api.ask("GET", answer.headers["Location"] + "?wait=30", key=key).json
    same(shown["state"], "done", f"state of {shown}")
    same(shown["result"]["outcome"], "done", "outcome")
    sure(shown["result"]["output"], "an output")
    sure(float(shown["result"]["cost_usd"]) > 0, "what it cost")
    same(shown["attempts"], 1, "attempts")
    same(api.ask("GET", "/v1/jobs/" + made["job_id"], key=key).json["result"], shown["result"],
         "the result without waiting")
    return made["job_id"]


def position(fleet, api, key):
    claim("while nobody works, each job's place is the number of those accepted before it")
    made = [api.ask("POST", "/v1/jobs", job(f"place {i}"), key).json["job_id"] for i in range(5)]
    for place in (4, 0):
        wait_for(20, f"the place of job {place}", lambda: api.ask(
            "GET", f"/v1/jobs/{made[place]}", key=key).json["ahead"] == place)
    shown = api.ask("GET", f"/v1/jobs/{made[4]}", key=key).json
    same((shown["state"], shown["eta_seconds"]), ("queued", None), "state, and that nothing is measured")
    claim("every reason to be parked has its words, and its date")
    for reason in ("rate_hold", "quota", "budget", "breaker", "credential", "backoff", "connections",
                   "no_candidate", "not_before", "orphan", "handed_back", "batch_closed"):
        fleet.sql(f"UPDATE jobs SET state = 'PARKED', reason = '{reason}', due = now() + interval '1 h' "
                  f"WHERE job_id = '{made[2]}'")
        told = api.ask("GET", f"/v1/jobs/{made[2]}/explain", key=key).json
        same(told["reason"], reason, "reason")
        sure("stand here" not in told["waits_for"], f"words for {reason}: {told['waits_for']}")
        sure(told["due"], f"when: {told}")
    fleet.sql(f"UPDATE jobs SET state = 'QUEUED', reason = NULL, due = NULL WHERE job_id = '{made[2]}'")
    return made


def idempotent(fleet, api, key):
    claim("the same key and body are the same job; another body is refused with both fingerprints")
    first = api.ask("POST", "/v1/jobs", job("once"), key, Idempotency_Key="k1")
    again = api.ask("POST", "/v1/jobs", job("once"), key, Idempotency_Key="k1")
    same((first.status, again.status), (202, 202), "statuses")
    same(again.json["job_id"], first.json["job_id"], "job")
    same((first.json["new"], again.json["new"]), (True, False), "newness")
    other = api.ask("POST", "/v1/jobs", job("twice"), key, Idempotency_Key="k1")
    problem(other, 409, "other_body")
    stands = fleet.value("SELECT encode(fingerprint, 'hex') FROM jobs "
                         f"WHERE job_id = '{first.json['job_id']}'")
    sure(stands in other.json["detail"], f"the fingerprint that stands, in {other.json}")
    same(len([word for word in other.json["detail"].replace(",", " ").split() if len(word) == 64]), 2,
         "fingerprints")
    same(fleet.number(f"SELECT count(*) FROM jobs WHERE job_id = '{first.json['job_id']}'"), 1, "rows")
    claim("a hundred at once with one key are one job")
    got = []
    threads = [threading.Thread(target=lambda: got.append(
        api.ask("POST", "/v1/jobs", job("crowd"), key, Idempotency_Key="crowd")))
        for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same({answer.status for answer in got}, {202}, "statuses")
    same(len({answer.json["job_id"] for answer in got}), 1, "jobs")
    same(sum(answer.json["new"] for answer in got), 1, "answers that say it is new")


def lists(fleet, api, key):
    claim("a list is answered line by line, and can be sent again")
    lines = [json.dumps(job(f"line {i}")) for i in range(50)]
    lines[7] = '{"business_unit":"search"}'
    lines[9] = "{"
    lines[11] = json.dumps(job("x", business_unit="claims"))
    text = "\n".join(lines) + "\n\n"
    answer = api.ask("POST", "/v1/jobs", text, key, Content_Type="application/x-ndjson",
                     Idempotency_Key="list")
    same(answer.status, 202, f"status ({answer.body[:300]})")
    same((answer.json["accepted"], answer.json["refused"]), (47, 3), "lines")
    same([line["line"] for line in answer.json["lines"] if line["status"] != 202], [8, 10, 12], "bad")
    sure("/prompt" in answer.json["lines"][7]["problem"]["detail"]
         or "prompt" in answer.json["lines"][7]["problem"]["detail"], "names the member")
    again = api.ask("POST", "/v1/jobs", text, key, Content_Type="application/x-ndjson",
                    Idempotency_Key="list")
    same([line.get("job_id") for line in again.json["lines"]],
         [line.get("job_id") for line in answer.json["lines"]], "jobs of the second sending")
    same(sum(line.get("new", False) for line in again.json["lines"]), 0, "new ones")
    claim("a dry run quotes and changes nothing")
    before = fleet.number("SELECT count(*) FROM jobs")
    dry = api.ask("POST", "/v1/jobs?dry_run=true", job(), key)
    same(dry.status, 200, "status")
    sure("job_id" not in dry.json and dry.json["quote"]["cost_usd"], f"quote: {dry.json}")
    for nearly in ("?dry_run=1", "?dry_run=TRUE", "?dry_run", "?dry_run="):
        problem(api.ask("POST", "/v1/jobs" + nearly, job(), key), 400, "bad_query")
    same(fleet.number("SELECT count(*) FROM jobs"), before, "jobs")
    claim("pages of the list hold every job of the unit once, newest first")
    seen, cursor = [], ""
    while True:
        page = api.ask("GET", f"/v1/jobs?limit=20&business_unit=search{cursor}", key=key).json
        seen += [one["job_id"] for one in page["jobs"]]
        if "next_cursor" not in page:
            break
        cursor = "&cursor=" + page["next_cursor"]
    same(seen, sorted(set(seen), reverse=True), "order")
    same(len(seen), fleet.number("SELECT count(*) FROM jobs WHERE business_unit = 'search'"), "jobs")


def keys(fleet, api, key):
    claim("without a good key nothing is told")
    problem(api.ask("GET", "/v1/jobs"), 401, "unauthorized")
    problem(api.ask("GET", "/v1/jobs", key="slc_" + "0" * 12 + "_" + "0" * 64), 401, "unauthorized")
    problem(api.ask("GET", "/v1/jobs", key=key[:-1] + ("0" if key[-1] != "0" else "1")), 401,
            "unauthorized")
    claim("a key sees its units only: others' jobs are as good as unknown")
    theirs = make_key(fleet, "claims")
    made = api.ask("POST", "/v1/jobs", job("secret", business_unit="claims"), theirs).json["job_id"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("GET", "/explain")):
        problem(api.ask(method, f"/v1/jobs/{made}{path}", key=key), 404, "not_found")
    same(api.ask("GET", f"/v1/jobs/{made}", key=theirs).status, 200, "its own")
    problem(api.ask("GET", "/v1/jobs?business_unit=claims", key=key), 403, "forbidden")
    problem(api.ask("POST", "/v1/jobs", job(business_unit="claims"), key), 400, "bad_job")
    problem(api.ask("POST", "/v1/jobs", job("stolen", job_id=made), key), 409, "id_taken")
    sure(made not in {one["job_id"] for one in api.ask("GET", "/v1/jobs?limit=500", key=key)
                      .json["jobs"]}, "not in the list")
    claim("a unit that goes without saying is filled in")
    named = api.ask("POST", "/v1/jobs", job("unnamed", business_unit=None) | {}, theirs)
    problem(named, 400, "bad_job")  # null is no unit
    unnamed = job("unnamed")
    del unnamed["business_unit"]
    made = api.ask("POST", "/v1/jobs", unnamed, theirs).json["job_id"]
    same(fleet.value(f"SELECT business_unit FROM jobs WHERE job_id = '{made}'"), "claims", "unit")
    claim("rights are kept apart")
    reader = make_key(fleet, "search", rights=("read",))
    problem(api.ask("POST", "/v1/jobs", job(), reader), 403, "forbidden")
    one = api.ask("GET", "/v1/jobs?state=done&limit=1", key=reader).json["jobs"][0]["job_id"]
    sure("cost_usd" not in api.ask("GET", f"/v1/jobs/{one}", key=reader).json["result"], "no costs")
    sure(b"usd" not in api.ask("GET", f"/v1/jobs/{one}/explain", key=reader).body, "no costs")
    problem(api.ask("DELETE", f"/v1/jobs/{one}", key=reader), 403, "forbidden")
    problem(api.ask("GET", "/metrics", key=reader), 403, "forbidden")
    claim("what is kept of a key is its hash, and neither it nor prompts are in the log")
    same(fleet.number("SELECT count(*) FROM api_keys k WHERE k::text LIKE '%" + key[17:40] + "%'"), 0,
         "rows that hold the key")
    with open(api.log) as log:
        text = log.read()
    sure(key[17:] not in text and "secret" not in text and "line 3" not in text, "a clean log")
    sure(f"key={key[4:16]}" in text, "the key's id is in the log")
    claim("a limit is told, and refused with whose it is and how long to wait")
    slow = make_key(fleet, "search", limit=3)
    answers = [api.ask("GET", "/v1/jobs?limit=1", key=slow) for _ in range(4)]
    same([answer.status for answer in answers], [200, 200, 200, 429], "statuses")
    same([answer.headers["RateLimit-Remaining"] for answer in answers], ["2", "1", "0", "0"], "left")
    sure(answers[0].headers["RateLimit-Policy"] == f'"key-{slow[4:16]}-requests";q=3;w=60', "policy")
    problem(answers[3], 429, "rate_limited")
    sure(1 <= int(answers[3].headers["Retry-After"]) <= 21, "Retry-After")
    claim("a revoked key is out within two seconds")
    fleet.sluice("keys", "revoke", reader[4:16])
    wait_for(3, "it is refused", lambda: api.ask("GET", "/v1/jobs", key=reader).status == 401)
    sure("revoked" not in fleet.sluice("keys", "list").splitlines()[1], "list shows those in force first")


def changing(fleet, api, key):
    claim("a job that may not start yet says what it waits for, and can be cancelled")
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    made = api.ask("POST", "/v1/jobs", job("later", routing={"tier": "economy", "not_before": later}),
                   key).json["job_id"]
    wait_for(20, "it is parked",
             lambda: "not to be started" in api.ask("GET", f"/v1/jobs/{made}", key=key).json["waits_for"])
    explained = api.ask("GET", f"/v1/jobs/{made}/explain", key=key).json
    same(explained["reason"], "not_before", "reason")
    sure("not to be started" in explained["waits_for"], f"words: {explained}")
    same([wait["reason"] for wait in explained["waits"] if wait["until"] is None], ["not_before"], "what it waits for now")
    same(api.ask("DELETE", f"/v1/jobs/{made}", key=key).status, 202, "cancel")
    same(api.ask("GET", f"/v1/jobs/{made}?wait=20", key=key).json["state"], "cancelled", "state")
    waits = api.ask("GET", f"/v1/jobs/{made}/explain", key=key).json["waits"]
    sure(all(wait["until"] for wait in waits) and "not_before" in {wait["reason"] for wait in waits}, f"what it waited for: {waits}")
    problem(api.ask("DELETE", f"/v1/jobs/{made}", key=key), 409, "ended")
    claim("an ended job runs again")
    done = api.ask("POST", "/v1/jobs", job("again"), key).json["job_id"]
    same(api.ask("GET", f"/v1/jobs/{done}?wait=30", key=key).json["state"], "done", "first run")
    same(api.ask("POST", f"/v1/jobs/{done}/retry", key=key).status, 202, "retry")
    shown = api.ask("GET", f"/v1/jobs/{done}?wait=30", key=key).json
    same((shown["run"], shown["state"]), (1, "done"), "second run")
    problem(api.ask("POST", f"/v1/jobs/{uuid.uuid4()}/retry", key=key), 404, "not_found")


def contract(fleet, api, key):
    claim("what is described is served, and the other way round")
    described = {f"{method.upper()} {path}"
                 for path, item in api.ask("GET", "/openapi.json").json["paths"].items()
                 for method in item if method in ("get", "post", "delete", "put", "patch")}
    served = set(fleet.sluice("api", "--routes").split("\n")) - {""}
    same(described ^ served, set(), "differences")
    problem(api.ask("GET", "/nothing", key=key), 404, "not_found")
    problem(api.ask("PUT", "/v1/jobs", "{}", key=key), 405, "method_not_allowed")
    same(api.ask("PUT", "/v1/jobs", "{}", key=key).headers["Allow"], "POST, GET", "Allow")
    for query in ("?limit=0", "?limit=x", "?state=odd", "?lane=odd", "?cursor=1", "?task=%ff"):
        problem(api.ask("GET", "/v1/jobs" + query, key=key), 400, "bad_query")
    problem(api.ask("GET", "/v1/jobs/17", key=key), 404, "not_found")
    problem(api.ask("POST", "/v1/jobs", "", key=key), 400, "bad_job")
    sure(b"sluice_http_requests_total" in api.ask("GET", "/metrics", key=key).body, "metrics")
    same(api.ask("GET", "/healthz").status, 200, "health")


def refusals(log):
    """The lines of requests that no handler saw, as dictionaries."""
    with open(log, encoding="utf-8") as file:
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in file if "event=http_refused" in line]


def access_log(fleet):
    claim("what is refused before a handler runs has its line, without secrets; a flood of it has a hundred")
    slow = make_key(fleet, "search", limit=1)
    api = Api(fleet, "door").start()
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/files", key=slow).status == 200)
    hush = "hush-hush"
    asked = {
        api.ask("GET", f"/v1/jobs?task={hush}").headers["X-Request-Id"]: ("401", "GET", "/v1/jobs"),
        api.ask("GET", f"/v1/jobs/{hush}", key=f"slc_{hush}").headers["X-Request-Id"]: ("401", "GET", "/v1/jobs/{job_id}"),
        api.ask("GET", f"/{hush}").headers["X-Request-Id"]: ("404", "GET", "-"),
        api.ask("PUT", "/v1/jobs", "{}").headers["X-Request-Id"]: ("405", "PUT", "-"),
        api.ask(hush.upper(), "/v1/jobs").headers["X-Request-Id"]: ("405", "-", "-"),
        api.ask("GET", "/v1/jobs", key=slow).headers["X-Request-Id"]: ("429", "GET", "/v1/jobs"),
    }
    for head, told in ((f"POST /v1/jobs?{hush} HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n", ("413", "POST", "/v1/jobs")),
                       (f"GET /v1/jobs HTTP/1.1\r\nHost: h\r\nHost: {hush}\r\n", ("400", "GET", "/v1/jobs"))):
        answer = api.raw(f"{head}\r\n".encode()).decode()
        asked[re.search("X-Request-Id: (\\S+)", answer)[1]] = told
    api.raw(f"{hush} {hush}\r\n\r\n".encode())
    wait_for(5, "all are told", lambda: len(refusals(api.log)) >= len(asked) + 1)
    told = {line["request"]: (line["status"], line["method"], line["route"]) for line in refusals(api.log)}
    same({name: told.get(name) for name in asked}, asked, "status, method and path's template of each")
    others = {line for name, line in told.items() if name not in asked} - {("401", "GET", "/v1/files")}  # before the key was known
    same(others, {("400", "-", "-")}, "the one that is no request at all")
    before = len(refusals(api.log))
    sure(all(line["ms"].isdigit() for line in refusals(api.log)), "how long it took")
    for _ in range(400):
        same(api.ask("GET", "/v1/jobs").status, 401, "status")
    api.stop()
    lines = refusals(api.log)
    left_out = sum(int(line.get("suppressed", 0)) for line in lines)
    written = len([line for line in lines if "status" in line])
    same(written + left_out, before + 400, "lines, with those that were left out")
    sure(left_out > 0, f"a flood is cut: {written} lines")
    with open(api.log, encoding="utf-8") as log:
        sure(hush not in log.read().lower(), "no secret, no query, no path of a client")


def crashes(fleet, key):
    claim("killed between row and Kafka, or between Kafka and the answer, it loses nothing")
    for point in ("R01", "R02"):
        api = Api(fleet, point).start(failpoints=f"{point}=crash@1")
        lines = "\n".join(json.dumps(job(f"{point} {i}")) for i in range(20))
        same(api.ask("POST", "/v1/jobs", lines, key, Content_Type="application/x-ndjson",
                     Idempotency_Key=point).status, 0, "no answer")
        same(api.process.wait(10), -9, f"{point} kills it")
    with open(fleet.failpoint_log) as log:
        fired = log.read()
    sure("R01" in fired and "R02" in fired, f"fired: {fired}")
    api = Api(fleet, "after").start()
    made = []
    claim("a client that sends the same again finds its jobs, one that changed the body is told so")
    for point in ("R01", "R02"):
        lines = [job(f"{point} {i}") for i in range(20)]
        lines[3] = job("changed")
        again = api.ask("POST", "/v1/jobs", "\n".join(json.dumps(line) for line in lines), key,
                        Content_Type="application/x-ndjson", Idempotency_Key=point).json["lines"]
        same([line["status"] for line in again], [202] * 3 + [409] + [202] * 16, "lines")
        same(sum(line.get("new", False) for line in again), 0, "new ones: the rows were there")
        detail = again[3]["problem"]["detail"].replace(",", " ").split()
        same(len({word for word in detail if len(word) == 64}), 2, f"fingerprints in {detail}")
        made += [line["job_id"] for line in again if "job_id" in line]
    claim("each of them ran, once, also the one that nobody asked for again")
    for one in made:
        shown = api.ask("GET", f"/v1/jobs/{one}?wait=60", key=key).json
        same((shown["state"], shown["attempts"]), ("done", 1), "state and attempts")
    wait_for(60, "all forty have ended", lambda: fleet.number(
        "SELECT count(*) FROM jobs j JOIN results r USING (job_id) WHERE j.job_id IN "
        "(SELECT job_id FROM payloads WHERE convert_from(body, 'UTF8') LIKE '%R0_ %')") == 40)
    api.stop()


def as_role(fleet, key):
    claim("the role sluice_api is enough for it")
    fleet.sql("CREATE ROLE api_login LOGIN PASSWORD 'secret'; GRANT sluice_api TO api_login")
    with open(fleet.config_path) as file:
        config = json.load(file)
    config["postgres"]["url"] = re.sub("//[^@]*@", "//api_login:secret@", config["postgres"]["url"])
    path = os.path.join(fleet.directory, "role.json")
    with open(path, "w") as file:
        json.dump(config, file)
    api = Api(fleet, "role", path).start()
    same(fleet.value("SELECT count(DISTINCT usename) || min(usename) FROM pg_stat_activity "
                     "WHERE application_name LIKE 'sluice api%'"), "1api_login", "who it is")
    submitting(fleet, api, make_key(fleet, "search", limit=1000, tokens=100000))
    changing(fleet, api, key)
    api.stop()


def main():
    with Fleet("test_api") as fleet:
        key = make_key(fleet, "search")
        api = Api(fleet).start()
        early = position(fleet, api, key)
        fleet.start("one")
        for one in early:
            same(api.ask("GET", f"/v1/jobs/{one}?wait=30", key=key).json["state"], "done", "state")
        submitting(fleet, api, key)
        idempotent(fleet, api, key)
        lists(fleet, api, key)
        keys(fleet, api, key)
        changing(fleet, api, key)
        contract(fleet, api, key)
        claim("SIGTERM answers whoever waits, and ends it")
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        made = api.ask("POST", "/v1/jobs",
                       job("wait", routing={"tier": "economy", "not_before": later}), key).json["job_id"]
        answers = []
        waiter = threading.Thread(target=lambda: answers.append(
            api.ask("GET", f"/v1/jobs/{made}?wait=60", key=key)))
        waiter.start()
        wait_for(20, "its end is looked for, which is done while somebody waits", lambda: fleet.number(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice api%' AND query LIKE '%AS i(job_id) LEFT JOIN jobs%'"))
        api.stop()
        waiter.join()
        sure(answers[0].status in (200, 0), f"answer: {answers[0].status}")
        access_log(fleet)
        crashes(fleet, key)
        as_role(fleet, key)
        fleet.sluice("jobs", "cancel", made)
        wait_for(30, "everything owed is paid",
                 lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
        fleet.sluice("audit")
        fleet.stop()


if __name__ == "__main__":
    main()
