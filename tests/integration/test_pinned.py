"""A job that wants one candidate: only that is ever called for it, by whatever way it comes; it waits for it while
another of its tier is free."""
import promises
from api import Api, make_key
from batch_fleet import BatchFleet, config, options, wait_for_ends
from fleet import claim, same, sure, wait_for
from openai import line
from test_openai_batches import both, start, wait_for_status

MODEL = "claude-haiku-4-5"  # of economy, whose first is OpenAI's: cheaper
WANTED = f"anthropic/{MODEL}"


def prompt(text):
    return {"messages": [{"role": "user", "content": text}]}


def submit(api, key, **routing):
    answer = api.ask("POST", "/v1/jobs", {"prompt": prompt("Say hello"), "routing": routing}, key)
    same(answer.status, 202, f"status of {answer.body[:300]}")
    return answer.json["job_id"]


def called(fleet, ids):
    """Which candidates were called for these jobs, throttled calls too."""
    listed = ",".join(f"'{job}'" for job in ids)
    return {"/".join(row) for row in fleet.sql(f"SELECT DISTINCT provider, model FROM attempts WHERE job_id IN ({listed})")}


def ended(fleet, ids):
    listed = ",".join(f"'{job}'" for job in ids)
    return fleet.number(f"SELECT count(*) FROM jobs WHERE job_id IN ({listed}) AND state = 'DONE'")


def answers(fleet, api, key):
    claim("the candidate that a job wants answers it, though another is cheaper")
    ids = [submit(api, key, tier="economy", candidate=WANTED), submit(api, key, candidate=WANTED)]
    for job in ids:
        shown = api.ask("GET", f"/v1/jobs/{job}?wait=30", key=key).json
        same((shown["state"], shown["tier"], shown["result"]["provider"]), ("done", "economy", "anthropic"), "the job")
    claim("its price is that of the quote, and a candidate that is not there is refused")
    quote = api.ask("POST", "/v1/jobs?dry_run=true", {"prompt": prompt("x"), "routing": {"tier": "economy", "candidate": WANTED}}, key).json
    plain = api.ask("POST", "/v1/jobs?dry_run=true", {"prompt": prompt("x"), "routing": {"tier": "economy"}}, key).json
    sure(float(quote["quote"]["cost_usd"]["likely"]) > float(plain["quote"]["cost_usd"]["likely"]), "the dearer one is quoted")
    for routing, words in (({"candidate": "anthropic/gpt-9"}, "no tier has a candidate"),
                           ({"tier": "standard", "candidate": WANTED}, "has no candidate"),
                           ({"candidate": "nonsense"}, "/routing/candidate")):
        answer = api.ask("POST", "/v1/jobs", {"prompt": prompt("x"), "routing": routing}, key)
        same(answer.status, 400, "status")
        sure(words in answer.json["detail"], f"why: {answer.json}")
    return ids


def waits(fleet, api, key):
    claim("it waits while its candidate is away and another is free")
    fleet.control(fault=f"429@{MODEL}=1")
    wanting = [submit(api, key, tier="economy", candidate=WANTED) for _ in range(3)]
    wanting += fleet.produce([fleet.job(output=None, routing={"candidate": WANTED}) for _ in range(3)])
    batch = start(api, key, [line(f"l-{i}", model="pinned") for i in range(3)], metadata={"lane": "normal"})
    lines = "SELECT job_id FROM api_batch_lines WHERE batch_id = '" + batch[6:] + "'::uuid"
    wait_for(30, "all of them are a worker's", lambda: fleet.number(
        f"SELECT count(*) FROM jobs WHERE state IN ('CLAIMED', 'PARKED') AND (job_id IN ({lines}) OR job_id IN "
        f"({','.join(repr(job) for job in wanting)}))") == 9)
    wanting += [row[0] for row in fleet.sql(lines)]
    others = fleet.produce([fleet.job(output=None) for _ in range(20)])
    wait_for(30, "others are answered", lambda: ended(fleet, others) == 20)
    same((ended(fleet, wanting), called(fleet, wanting), called(fleet, others)),
         (0, {WANTED}, {"openai/gpt-4o-mini"}), "who was answered, and by whom")
    claim("when it is back it answers them")
    fleet.control(fault="none=0")
    wait_for(60, "they are answered", lambda: ended(fleet, wanting) == 9)
    same(called(fleet, wanting), {WANTED}, "candidates called")
    output, _ = both(api, key, wait_for_status(api, key, batch, "completed"))
    sure(all(one["response"]["body"]["model"].startswith(MODEL) for one in output.values()), "the model of each line")
    return wanting + others


def in_batches(fleet, api, key):
    claim("a provider's batch is its candidate's")
    ids = fleet.produce([fleet.job(lane="batch", output=None, routing={"candidate": WANTED}) for _ in range(5)])
    batch = start(api, key, [line(f"b-{i}", model="pinned") for i in range(5)])
    wait_for_status(api, key, batch, "completed", seconds=90)
    wait_for(60, "they are done", lambda: ended(fleet, ids) == 5)
    ids += [row[0] for row in fleet.sql(f"SELECT job_id FROM api_batch_lines WHERE batch_id = '{batch[6:]}'::uuid")]
    same(called(fleet, ids), {WANTED}, "candidates called")
    same({row[0] for row in fleet.sql("SELECT DISTINCT mode FROM attempts WHERE job_id IN (" + ",".join(repr(job) for job in ids) + ")")},
         {"batch"}, "how")
    return ids


def main():
    changes = config(max_age="500ms")
    changes["api"] = {"models": {"pinned": WANTED}}
    with BatchFleet("test_pinned", simulator=options(), config=changes) as fleet:
        fleet.start("one")
        fleet.batcher("batch")
        key = make_key(fleet, "search")
        api = Api(fleet).start()
        wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/jobs", key=key).status == 200)
        ids = answers(fleet, api, key) + waits(fleet, api, key) + in_batches(fleet, api, key)
        wait_for_ends(fleet, len(ids), 30)
        claim("nothing is lost, and the ledger is the bill")
        promises.check_all(fleet, ids)
        api.stop()
        fleet.stop()


if __name__ == "__main__":
    main()
