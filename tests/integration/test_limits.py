"""The fleet's rates and budgets: a provider's limit is used and never passed, a limit halved without a
word is found, and of a budget's last ten calls not one too many is made.

SECONDS=600 runs each part as long as the README claims; 30 is enough to see it."""
import json
import os
import sys
import time

from fleet import Fleet, claim, same, say, sure, wait_for

SECONDS = float(os.environ.get("SECONDS", 25))
WORKERS = int(os.environ.get("WORKERS", 4))
RPM, TPM = 3000, 1600000
MODEL = "gpt-4o-mini"
PARKED = 150
CONFIG = {
    "worker": {"park_rows_per_unit": PARKED},
    "tiers": [{"name": "economy", "candidates": [{"provider": "openai", "model": MODEL}]}],
    "limits": [{"provider": "openai", "model": MODEL, "requests_per_minute": RPM,
                "tokens_per_minute": TPM}],
    "budgets": [{"match": {"business_unit": "racers"}, "per": "day", "requests": 10},
                {"match": {"business_unit": "payers"}, "per": "day", "usd": 0.002},
                {"per": "day", "usd": 1000, "calls": 400}],
}
# What every commit of a balance leaves behind.
WATCH = """
CREATE TABLE commits (unit text, scope jsonb, cap numeric, charged numeric, reserved numeric, excess numeric);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.kind = 'balance' THEN
        INSERT INTO sluice.commits VALUES (NEW.unit, NEW.scope, NEW.cap, NEW.charged, NEW.reserved, NEW.excess);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER INSERT OR UPDATE ON allowances FOR EACH ROW EXECUTE FUNCTION watch();
"""
TURN = """SELECT * FROM sluice.allow_turn(gen_random_uuid(), 64, '{%d}', ARRAY[NULL::uuid], '{3}', '{1}',
'{0}', '{-1}', '{-1}', '{0}', '{0}', '{f}');
"""


def mixed(fleet, count, **more):
    return [fleet.job(max_output_tokens=None, parameters={"max_output_tokens": 100 + 50 * (i % 11)}, **more)
            for i in range(count)]


def measure(fleet, seconds):
    """What the simulator saw meanwhile, and how long that was by its clock."""
    before = fleet.control()
    time.sleep(seconds)
    after = fleet.control()
    seen = {name: after[name] - before[name] for name in ("requests", "accepted", "limited")}
    return seen, after["seconds"] - before["seconds"]


def used(seen, seconds, rpm):
    return seen["accepted"] / (rpm * seconds / 60)


def check_caps(fleet, what):
    rows = fleet.sql("SELECT count(*), count(*) FILTER (WHERE charged + reserved > cap OR excess > 0) FROM commits")
    same(rows[0][1], "0", f"commits of {what} over a cap")
    say(f"{rows[0][0]} commits of balances, none over its cap")
    fleet.sql("TRUNCATE commits")


def uses_the_limit(fleet):
    claim(f"{WORKERS} workers use a limit of {RPM} calls a minute, and are never told to wait")
    fleet.produce(mixed(fleet, int(RPM / 60 * (2.2 * SECONDS + 60))))
    time.sleep(15)  # a start ramps up
    seen, seconds = measure(fleet, SECONDS)
    say(f"{seen['accepted']} calls accepted in {seconds:.1f} s: {used(seen, seconds, RPM):.1%} of the limit")
    sure(used(seen, seconds, RPM) >= 0.98, "98 % of the limit is used")
    same(fleet.control()["limited"], 0, "429s because of the limits")


def survives_a_crash(fleet):
    claim("half of the workers are killed: the others take their share within seconds")
    for name in list(fleet.workers)[:WORKERS // 2]:
        fleet.workers[name].kill()
    time.sleep(5)
    seen, seconds = measure(fleet, 5)
    say(f"{used(seen, seconds, RPM):.1%} of the limit from 5 to 10 s after")
    sure(used(seen, seconds, RPM) >= 0.95, "95 % of the limit 5 s after the crash")
    for name in list(fleet.workers)[:WORKERS // 2]:
        fleet.workers[name].start()


def finds_a_halved_limit(fleet):
    claim("the limit is halved, headers are silent: 429s are few, and then none")
    fleet.control(limit=f"rpm={RPM // 2},model={MODEL}", hide_headers=True)
    seen, seconds = measure(fleet, SECONDS)
    say(f"{seen['limited']} of {seen['requests']} calls were told to wait in the {seconds:.0f} s from the change on "
        f"({seen['limited'] / max(seen['requests'], 1):.2%})")
    sure(seen["limited"] < max(0.01 * RPM / 2 * 10, 0.01 * seen["requests"]) / 5,
         "429s fewer than a fifth of 1 % of ten minutes' calls")
    seen, seconds = measure(fleet, 10)
    say(f"then {seen['limited']} of {seen['requests']}: {used(seen, seconds, RPM / 2):.1%} of the new limit")
    sure(seen["limited"] <= 0.01 * RPM / 2, "it has settled")
    fleet.control(limit=f"rpm={RPM * 10},tpm=0,model={MODEL}", hide_headers=False)


def races_for_the_last_calls(fleet):
    claim("all workers race for the last ten calls of a budget: ten are made, the others wait for tomorrow")
    racers = fleet.produce([fleet.job(business_unit="racers") for _ in range(120)])
    payers = fleet.produce([fleet.job(business_unit="payers") for _ in range(200)])
    ids = ",".join(f"'{id}'" for id in racers + payers)
    wait_for(60, "every racer is done or parked", lambda: fleet.number(
        f"SELECT count(*) FROM jobs WHERE job_id IN ({ids}) AND (state = 'DONE' OR state = 'PARKED' AND reason = 'budget')")
        == len(racers) + len(payers), 0.5)
    same(fleet.number("SELECT count(*) FROM jobs WHERE business_unit = 'racers' AND state = 'DONE'"), 10, "racers done")
    same(fleet.number("SELECT count(*) FROM ledger WHERE business_unit = 'racers'"), 10, "racers charged")
    same(fleet.number("SELECT count(*) FROM jobs WHERE state = 'PARKED' AND due < date_trunc('day', now(), 'UTC') + "
                      "interval '1 day'"), 0, "parked jobs that are due today")
    spent = fleet.sql("SELECT sum(amount) / 1e12, max(cap) / 1e12 FROM ledger, allowances WHERE business_unit = 'payers' "
                      "AND scope = '{\"business_unit\": \"payers\"}'")
    say(f"payers: {float(spent[0][0]):.6f} of {float(spent[0][1]):.6f} dollars")
    check_caps(fleet, "the race of workers")
    wait_for(10, "the alerts are raised, once each", lambda: fleet.sql(
        "SELECT threshold, count(*) FROM alerts JOIN allowances USING (allowance_id) "
        "WHERE scope = '{\"business_unit\": \"racers\"}' GROUP BY 1 ORDER BY 1") == [("80", "1"), ("100", "1")])


def races_in_postgres(fleet):
    claim("64 sessions at once lease ten calls: ten are leased")
    row = fleet.number("SELECT allowance_set('balance', 'requests', 'day', '{\"task\": \"race\"}', 10, NULL, NULL, false, "
                       "'user', 'test', false)")
    script = os.path.join(fleet.directory, "turn.sql")
    with open(script, "w") as file:
        file.write(TURN % row)
    fleet.run([pgbench(), "-n", "-c", "64", "-j", "2", "-t", "3", "-f", script, fleet.postgres])
    same(fleet.number(f"SELECT sum(granted) FROM leases WHERE allowance_id = {row}"), 10, "calls leased")
    check_caps(fleet, "the race of sessions")


def turn_of(fleet, row, worker, lease, need):
    """A worker's turn at one balance: what it was granted, and its lease."""
    known = f"'{lease}'::uuid" if lease else "NULL::uuid"
    return fleet.sql("SELECT granted, lease_id FROM allow_turn("
                     f"'00000000-0000-7000-8000-{worker:012}', 2, '{{{row}}}', ARRAY[{known}], '{{{need}}}', '{{{need}}}', "
                     "'{0}', '{-1}', '{-1}', '{0}', '{0}', '{f}')")[0]


def makes_a_call_of_crumbs(fleet):
    claim("what is left of two leases, too little for a call in each, is a call of one")
    row = fleet.number("SELECT allowance_set('balance', 'tokens', 'day', '{\"task\": \"crumbs\"}', 10, NULL, NULL, false, "
                       "'user', 'test', false)")
    first, second = turn_of(fleet, row, 1, None, 6), turn_of(fleet, row, 2, None, 4)
    same([first[0], second[0]], ["6", "4"], "granted, all there is")
    after = turn_of(fleet, row, 1, first[1], 1)  # a call takes 7: one more than it holds
    same(after[0], "0", "granted where nothing is left")
    sure(after[1] != first[1], "its lease is another one, with nothing in it")
    same(turn_of(fleet, row, 2, second[1], 3)[0], "3", "granted to the other, for a call of 7")


def waits_at_the_bound(fleet):
    claim(f"of a unit without money {PARKED} jobs are read ahead, then its partitions wait, and it is named")
    fleet.produce([fleet.job(business_unit="racers") for _ in range(600)])
    parked = "SELECT count(*) FROM jobs WHERE state = 'PARKED' AND reason = 'budget' AND business_unit = 'racers'"
    wait_for(20, "the bound is reached", lambda: fleet.number(parked) >= PARKED)
    wait_for(20, "a worker names the unit", lambda: any(
        "budget of racers" in worker.get("/readyz")[1] for worker in fleet.workers.values()))
    time.sleep(3)
    count = fleet.number(parked)
    say(f"{count} are parked")
    sure(count <= PARKED + 24, f"no more than a message of each partition and worker beyond {PARKED}")


def pgbench():
    folders = sorted(os.listdir("/usr/lib/postgresql"), key=int)
    return f"/usr/lib/postgresql/{folders[-1]}/bin/pgbench"


def changes_at_run_time(fleet):
    claim("a raised budget lets those go who wait for it")
    fleet.sluice("budgets", "set", "--match", "business_unit=racers", "--per", "day", "--requests", "1000")
    wait_for(60, "all racers are done", lambda: fleet.number(
        "SELECT count(*) FROM jobs WHERE business_unit = 'racers' AND state = 'DONE'") == 720, 0.5)
    listed = [json.loads(line) for line in fleet.sluice("budgets", "list", "--json").splitlines()]
    sure(any("racers" in json.dumps(row) for row in listed), f"the budget is listed: {listed}")
    same(fleet.number("SELECT count(*) FROM allowance_changes WHERE before IS NOT NULL AND changed_by <> ''"), 1,
         "changes kept")


def audit(fleet):
    claim("balances are their attempts and leases, and all else holds too")
    fleet.sluice("audit")


def main():
    simulator = ["--limit", f"rpm={RPM},tpm={TPM},model={MODEL}", "--latency", "uniform:20,200"]
    with Fleet("test_limits", simulator=simulator, config=CONFIG, partitions=8) as fleet:
        fleet.sql(WATCH)
        fleet.start(*(f"worker{i}" for i in range(WORKERS)))
        uses_the_limit(fleet)
        survives_a_crash(fleet)
        finds_a_halved_limit(fleet)
        races_for_the_last_calls(fleet)
        races_in_postgres(fleet)
        makes_a_call_of_crumbs(fleet)
        waits_at_the_bound(fleet)
        changes_at_run_time(fleet)
        fleet.stop()
        audit(fleet)


if __name__ == "__main__":
    sys.exit(main())
