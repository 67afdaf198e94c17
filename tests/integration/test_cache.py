"""Exactly the same question is called for once: later its answer costs nothing; at the same time one call is made, whatever
becomes of it and of its worker, and all who asked share its cost."""
import collections
import json
import time

import promises
from fleet import SCHEMA, Fleet, claim, same, say, sure, wait_for

MANY = 50
CONFIG = {
    "defaults": {"min_confidence": 0, "max_attempts": 3},
    "tasks": {"kept": {"cache_ttl": "1h"}, "never": {}},
    "worker": {"unavailable": {"first": "50ms", "longest": "500ms", "max_tries": 3}},
}


class Asked:
    """Everything that was asked, and how many calls that took."""

    def __init__(self, fleet):
        self.fleet, self.ids = fleet, []

    def ask(self, text, count=1, **more):
        """So many jobs of the same question, of as many features; returns their ids."""
        job = {"business_unit": "search", "task": "kept",
               "prompt": {"name": "spam", "version": "3", "messages": [{"role": "user", "content": text}]}}
        job.update(more)
        made = self.fleet.produce([self.fleet.job(feature=f"f{i}", **job) for i in range(count)])
        self.ids += made
        return made

    def done(self, text, **more):
        """Asked, and ended."""
        made = self.ask(text, **more)
        self.wait(60)
        return made

    def wait(self, seconds):
        self.fleet.wait_for_ends(len(self.ids), seconds)


def calls(fleet):
    return fleet.control()["requests"]


def cache(fleet, *words):
    """What `sluice cache` prints as JSON, a row a line."""
    return [json.loads(line) for line in fleet.sluice("cache", *words, "--json").splitlines()]


def listed(ids):
    return ",".join(f"'{id}'" for id in ids)


def events(fleet, ids):
    found = {}
    for message in fleet.consume("results"):
        event = json.loads(message.body)
        found[event["job_id"]] = event
    return [found[id] for id in ids]


def a_hit_costs_nothing(fleet, asked):
    claim("the same question again is answered without a call, at no cost, and says so")
    first, = asked.done("What is this?")
    before = calls(fleet)
    again, = asked.done("What is this?", environment="elsewhere", metadata={"any": 1})
    same(calls(fleet), before, "calls")
    old, new = events(fleet, [first, again])
    same((new["outcome"], new["reason"], new["cost_pico"], new["cost_usd"], new["attempts"], new["unpriced"]),
         ("done", "cached", "0", "0.00", 0, False), "what the event says of a hit")
    sure(int(old["cost_pico"]) > 0 and old["reason"] == "accepted", "the call was paid for")
    for name in ("output", "provider", "model", "tier"):
        same(new[name], old[name], f"{name} of the hit")
    same(fleet.sql(f"SELECT reason, cost, attempts FROM results WHERE job_id = '{again}'"), [("cached", "0", "0")], "its row")
    same(fleet.number(f"SELECT count(*) FROM ledger WHERE job_id = '{again}'"), 0, "rows of the ledger")
    sure("cached" in fleet.sluice("jobs", "show", again), "the job's story tells of it")
    promises.audit(fleet)


def another_question_misses(fleet, asked):
    claim("another version, unit, schema or parameter is another question; a task without cache_ttl keeps nothing")
    messages = [{"role": "user", "content": "What is this?"}]
    narrow = dict(SCHEMA, required=["label"])
    for more in ({"prompt": {"name": "spam", "version": "4", "messages": messages}}, {"business_unit": "ads"},
                 {"output": {"type": "json_schema", "schema": narrow}}, {"parameters": {"temperature": 0.5}},
                 {"task": "never"}, {"task": "never"}):
        before = calls(fleet)
        asked.done("What is this?", **more)
        same(calls(fleet), before + 1, f"calls for {more}")


def it_expires(fleet, asked):
    claim("an answer is given again for as long as the task says, and is gone then")
    asked.done("How long?")
    sure(fleet.number("SELECT count(*) FROM answers WHERE expires_at BETWEEN now() + interval '58 minutes' AND "
                      "now() + interval '1 hour'") > 0, "the task's hour")
    fleet.sql("UPDATE answers SET expires_at = now()")
    before = calls(fleet)
    asked.done("How long?")
    same(calls(fleet), before + 1, "calls after its time")
    wait_for(20, "what has expired is removed",
             lambda: fleet.number("SELECT count(*) FROM answers WHERE expires_at <= now()") == 0)
    same(fleet.number("SELECT count(*) FROM answers"), 1, "answers that are left")


def it_is_purged(fleet, asked):
    claim("answers are listed, and purged by key, version and task")
    for text, version in (("One?", "a"), ("Two?", "b"), ("Three?", "c")):
        asked.done(text, prompt={"name": "list", "version": version, "messages": [{"role": "user", "content": text}]})
    kept = cache(fleet, "list", "--prompt", "list")
    same([(row["version"], row["business_unit"], row["task"]) for row in kept],
         [(version, "search", "kept") for version in "cba"], "what is listed")
    purged = [cache(fleet, "purge", *words)[0]["answers_purged"] for words in (
        ["--key", kept[2]["key"]], ["--prompt", "list@b"], ["--prompt", "list@b"],
        ["--task", "kept", "--business-unit", "ads"], ["--prompt", "list", "--task", "kept"])]
    same(list(map(int, purged)), [1, 1, 0, 0, 1], "answers purged")
    before = calls(fleet)
    asked.done("One?", prompt={"name": "list", "version": "a", "messages": [{"role": "user", "content": "One?"}]})
    same(calls(fleet), before + 1, "calls after the purge")
    fleet.sluice("cache", "purge", good=(2,))
    fleet.sluice("cache", "purge", "--key", "zz", good=(1,))
    sure(int(cache(fleet, "purge", "--all")[0]["answers_purged"]) > 0, "all of them")
    sure("no answers are kept" in fleet.sluice("cache", "list"), "an empty list says so")


def a_retry_asks_anew(fleet, asked):
    claim("a job that is run again is called again, and its new answer takes the old one's place")
    first, = asked.done("Once more?")
    made = fleet.value(f"SELECT made_at FROM answers WHERE made_by = '{first}'")
    before = calls(fleet)
    fleet.sluice("jobs", "retry", first)
    wait_for(30, "its second run has ended",
             lambda: fleet.number(f"SELECT count(*) FROM results WHERE job_id = '{first}'") == 2)
    same(calls(fleet), before + 1, "calls")
    same(fleet.number(f"SELECT count(*) FROM answers WHERE made_by = '{first}' AND made_at > '{made}'"), 1, "newer answers")
    same(fleet.number(f"SELECT count(*) FROM answers WHERE made_by = '{first}'"), 1, "answers of that question")
    return 1


def waiting(fleet, ids):
    return fleet.number(f"SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'same_job' AND job_id IN ({listed(ids)})")


def ask_many(fleet, asked, text, count=MANY, **more):
    """In flight together: one is called, the others wait for it. The provider keeps its answer back until it is told."""
    fleet.control(pause=True)
    ids = asked.ask(text, count=count, **more)
    wait_for(60, "all but one wait for it", lambda: waiting(fleet, ids) == count - 1, 0.05)
    return ids


def check_shares(fleet, ids):
    """One call's cost, in equal parts over those who asked; the odd pico-dollars are the caller's."""
    parts = collections.Counter()
    for job, amount in fleet.sql(f"SELECT job_id, amount FROM ledger WHERE job_id IN ({listed(ids)}) AND kind IN ('charge', 'share')"):
        parts[job] += int(amount)
    bill = fleet.number(f"SELECT sum(amount) FROM ledger WHERE job_id IN ({listed(ids)}) AND kind = 'charge'")
    same(len(parts), len(ids), "jobs that bear a part")
    same(sum(parts.values()), bill, "the sum of the parts")
    each = bill // len(ids)
    same(sorted(parts.values())[:-1], [each] * (len(ids) - 1), "the parts of those who waited")
    same(max(parts.values()), bill - each * (len(ids) - 1), "the caller's part")
    viewed = fleet.sql("SELECT count(DISTINCT feature), sum(usd) * 1e12, sum(calls) FROM cost_per_feature_day "
                       f"WHERE business_unit = (SELECT business_unit FROM jobs WHERE job_id = '{ids[0]}')")
    same((viewed[0][0], int(float(viewed[0][1])), viewed[0][2]), (str(len(ids)), bill, "1"), "features, cost and calls in the view")
    return bill, each


def one_call_for_many(fleet, asked):
    claim(f"{MANY} of the same question in flight over two workers are one call, and share its cost to the pico-dollar")
    before = calls(fleet)
    ids = ask_many(fleet, asked, "All at once?", business_unit="crowd")
    claimers = fleet.number(f"SELECT count(DISTINCT claim_id) FROM jobs WHERE job_id IN ({listed(ids)})")
    say(f"claimed in {claimers} groups; {waiting(fleet, ids)} wait for one call")
    shown = fleet.sluice("jobs", "list", "--state", "parked")
    sure("same_job" in shown, f"the list says what they wait for: {shown}")
    fleet.control(pause=False)
    asked.wait(60)
    same(calls(fleet), before + 1, "calls")
    told = collections.Counter((event["reason"], event["cost_pico"] == "0") for event in events(fleet, ids))
    same(told, {("accepted", False): 1, ("cached", True): MANY - 1}, "what the events say")
    bill, each = check_shares(fleet, ids)
    same(fleet.number("SELECT sum(calls) FROM spend_share_per_feature WHERE usd > 0 AND "
                      f"business_unit = (SELECT business_unit FROM jobs WHERE job_id = '{ids[0]}')"), 1, "calls of those that spent, in the view")
    same(fleet.number("SELECT count(*) FROM spend_share_per_feature WHERE usd > 0 AND calls = 0"), 0, "features that spent without a call")
    say(f"{bill} pico-dollars in parts of {each}")
    leader = fleet.value(f"SELECT job_id FROM attempts WHERE job_id IN ({listed(ids)})")
    sure("shared_usd" in fleet.sluice("jobs", "show", leader), "the caller's story tells of the shares")
    same(fleet.number("SELECT count(*) FROM answer_followers") + fleet.number("SELECT count(*) FROM answer_leads"), 0, "rows left behind")
    promises.audit(fleet)


def a_crowd_of_questions(fleet, asked, questions=40, each=25):
    claim(f"{questions * each} jobs of {questions} questions, all mixed, are {questions} calls")
    fleet.control(latency="uniform:1,40")
    before = calls(fleet)
    jobs = [fleet.job(business_unit="fair", task="kept", feature=f"f{i}", prompt={
        "name": "spam", "version": "3", "messages": [{"role": "user", "content": f"Question {i % questions}?"}]})
            for i in range(questions * each)]
    ids = fleet.produce(jobs)
    asked.ids += ids
    asked.wait(60)
    same(calls(fleet), before + questions, "calls")
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")),
         {"accepted": str(questions), "cached": str(questions * (each - 1))}, "how they ended")
    shared = fleet.number(f"SELECT count(*) FROM ledger WHERE job_id IN ({listed(ids)}) AND kind = 'share' AND amount > 0")
    say(f"{shared} bear a part of a call, {questions * (each - 1) - shared} came after it")
    promises.audit(fleet)


def express_does_not_wait(fleet, asked):
    claim("an express job does not wait for a normal one")
    before = calls(fleet)
    fleet.control(pause=True)
    asked.ask("Who is first?")
    wait_for(20, "it is called", lambda: calls(fleet) == before + 1)
    job = fleet.job(lane="express", business_unit="search", task="kept", feature="f",
                    prompt={"name": "spam", "version": "3", "messages": [{"role": "user", "content": "Who is first?"}]})
    asked.ids += fleet.produce([job])
    wait_for(20, "it is called as well", lambda: calls(fleet) == before + 2)
    fleet.control(pause=False)
    asked.wait(60)


def at(seconds):
    """So many seconds from now, as a deadline."""
    moment = time.time() + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03}Z"


def a_deadline_is_not_waited_away(fleet, asked):
    claim("near its deadline a job waits for a quarter of what is left, and for nobody in the last five seconds")
    before = calls(fleet)
    fleet.control(pause=True)
    asked.ask("How soon?")
    wait_for(20, "the first is called", lambda: calls(fleet) == before + 1)
    patient = asked.ask("How soon?", routing={"deadline": at(100)})
    wait_for(20, "it waits", lambda: waiting(fleet, patient) == 1, 0.05)
    wait = float(fleet.value(f"SELECT extract(epoch FROM due - changed_at) FROM jobs WHERE job_id = '{patient[0]}'"))
    sure(15 < wait <= 25, f"of 100 s it waits {wait}")
    asked.ask("How soon?", routing={"deadline": at(4.9)})
    wait_for(20, "who has no time to wait is called", lambda: calls(fleet) == before + 2)
    fleet.control(pause=False)
    asked.wait(60)
    same(calls(fleet), before + 2, "calls")


def a_slow_leader_is_overtaken(fleet, asked):
    claim("when a call takes longer than a minute, one of those who wait is called as well, and one only")
    before = calls(fleet)
    ids = ask_many(fleet, asked, "What takes so long?", count=6)
    fleet.sql(f"BEGIN; UPDATE answer_leads SET since = since - interval '61 s' WHERE job_id IN ({listed(ids)}); "
              f"UPDATE jobs SET due = now() WHERE state = 'PARKED' AND job_id IN ({listed(ids)}); COMMIT")
    wait_for(20, "another is called", lambda: calls(fleet) == before + 2)
    wait_for(20, "the others have asked, and wait again", lambda: fleet.number(
        f"SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'same_job' AND epoch > 1 AND job_id IN ({listed(ids)})") == 4)
    fleet.control(pause=False)
    asked.wait(60)
    same(calls(fleet), before + 2, "calls")
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")),
         {"accepted": "2", "cached": "4"}, "how they ended")
    promises.audit(fleet)


def a_limit_of_its_own_spoils_nothing(fleet, asked):
    claim("when the one that is called ends at its own deadline, one other is called, for all of them")
    before = calls(fleet)
    end = time.time() + 8
    fleet.control(pause=True, fault="violation=1")
    leader, = asked.ask("For whom?", routing={"deadline": at(8)})
    wait_for(20, "it is called", lambda: calls(fleet) == before + 1)
    fleet.control(fault="none=0")
    ids = asked.ask("For whom?", count=5)
    wait_for(20, "the others wait for it", lambda: waiting(fleet, ids) == 5, 0.05)
    wait_for(20, "its deadline is past", lambda: time.time() > end + 0.1)
    fleet.control(pause=False)
    asked.wait(60)
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids + [leader])}) GROUP BY 1")),
         {"deadline": "1", "accepted": "1", "cached": "4"}, "how they ended")
    same(calls(fleet), before + 2, "calls")
    promises.audit(fleet)


def a_cancelled_leader_is_replaced(fleet, asked):
    claim("when the one that is called is cancelled, another of them is called")
    before = calls(fleet)
    ids = ask_many(fleet, asked, "Never mind?", count=5)
    leader = fleet.value(f"SELECT job_id FROM jobs WHERE state = 'CLAIMED' AND job_id IN ({listed(ids)})")
    fleet.sluice("jobs", "cancel", leader)
    fleet.control(pause=False)
    asked.wait(60)
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")),
         {"cancelled": "1", "accepted": "1", "cached": "3"}, "how they ended")
    same(calls(fleet), before + 2, "calls")
    promises.audit(fleet)


def a_dead_leader_strands_nobody(fleet, asked):
    claim("when the one that is called dies, the others are called for themselves, and end")
    fleet.control(fault="refusal=1")
    ids = ask_many(fleet, asked, "Is it any good?", count=20, routing={"max_tier": "economy"})
    fleet.control(pause=False)
    asked.wait(60)
    same(dict(fleet.sql(f"SELECT outcome, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")), {"DEAD": "20"},
         "how they ended")
    same(fleet.number("SELECT count(*) FROM answers WHERE made_by IN (" + listed(ids) + ")"), 0, "answers kept")
    fleet.control(fault="none=0")
    before = calls(fleet)
    asked.done("Is it any good?")
    same(calls(fleet), before + 1, "calls when all is well again")
    promises.audit(fleet)


def a_killed_worker_strands_nobody(fleet, asked):
    claim(f"the caller's worker is killed in mid-call: all {MANY} end, each once, by one more call")
    before = calls(fleet)
    ids = ask_many(fleet, asked, "Who is there?", business_unit="survivors")
    wait_for(20, "the call is on the wire", lambda: calls(fleet) == before + 1)
    caller = next(worker for worker in fleet.workers.values() if worker.calls_open() > 0)
    caller.kill()
    fleet.control(pause=False)
    asked.wait(150)
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")),
         {"accepted": "1", "cached": str(MANY - 1)}, "how they ended")
    same(fleet.number(f"SELECT count(*) FROM attempts WHERE job_id IN ({listed(ids)})"), 2, "calls, the lost one included")
    promises.audit(fleet)


def a_stopped_worker_strands_nobody(fleet, asked):
    claim("the caller's worker is told to stop, and its grace ends in mid-call: the others go on")
    fleet.start(*[name for name, worker in fleet.workers.items() if not worker.is_running()])
    before = calls(fleet)
    ids = ask_many(fleet, asked, "Must you go?", count=10)
    wait_for(20, "the call is on the wire", lambda: calls(fleet) == before + 1)
    caller = next(worker for worker in fleet.workers.values() if worker.calls_open() > 0)
    caller.term()
    caller.wait(40)
    fleet.control(pause=False)
    asked.wait(100)
    same(dict(fleet.sql(f"SELECT reason, count(*) FROM results WHERE job_id IN ({listed(ids)}) GROUP BY 1")),
         {"accepted": "1", "cached": "9"}, "how they ended")
    promises.audit(fleet)


def roles_do_what_they_must(fleet):
    claim("workers may do all of this; analysts and the api reach no answer")
    for statement in ("SELECT * FROM recall(gen_random_uuid(), ARRAY[gen_random_uuid()], '{1}', ARRAY['a'::bytea], '{1000}')",
                      "SELECT release_followers(ARRAY['a'::bytea], ARRAY[gen_random_uuid()], '{kept}', '{NULL}', '{NULL}')",
                      "SELECT share_cost(gen_random_uuid(), today(), '{}')", "SELECT expire_answers(9), forget_leads(9)",
                      "SELECT keep_answer('a', 1, today(), gen_random_uuid(), 't', 'p', 'm', true, false, NULL, '1')"):
        fleet.sql(f"BEGIN; SET LOCAL ROLE sluice_worker; {statement}; ROLLBACK")
    for role in ("sluice_analyst", "sluice_api"):
        same(fleet.value(f"SELECT has_table_privilege('{role}', 'answers', 'SELECT')"), "f", f"{role} on answers")


def main():
    with Fleet("test_cache", config=CONFIG) as fleet:
        asked = Asked(fleet)
        fleet.start("one", "two")
        a_hit_costs_nothing(fleet, asked)
        another_question_misses(fleet, asked)
        it_expires(fleet, asked)
        it_is_purged(fleet, asked)
        one_call_for_many(fleet, asked)
        a_crowd_of_questions(fleet, asked)
        express_does_not_wait(fleet, asked)
        a_deadline_is_not_waited_away(fleet, asked)
        a_slow_leader_is_overtaken(fleet, asked)
        a_limit_of_its_own_spoils_nothing(fleet, asked)
        a_cancelled_leader_is_replaced(fleet, asked)
        a_dead_leader_strands_nobody(fleet, asked)
        a_killed_worker_strands_nobody(fleet, asked)
        a_stopped_worker_strands_nobody(fleet, asked)
        roles_do_what_they_must(fleet)
        runs = a_retry_asks_anew(fleet, asked) + 1
        claim("each job ended once, and the ledger is the bill")
        fleet.stop()
        promises.check_all(fleet, asked.ids, crashes=True, runs=runs)


if __name__ == "__main__":
    main()
