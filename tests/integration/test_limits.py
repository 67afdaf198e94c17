"""The fleet's rates and budgets: a provider's limits on calls and on tokens are used and never passed, a
limit halved without a word is found, and of a budget's last ten calls not one too many is made.

The provider's buckets start nearly empty, so that a share of the limit means what came in, not what was
stored. SECONDS=600 runs each part as long as the README claims; names of parts (as in PARTS) run those only."""
import json
import os
import sys
import time

from fleet import Fleet, Worker, claim, same, say, sure, wait_for

SECONDS = float(os.environ.get("SECONDS", 60))
WORKERS = int(os.environ.get("WORKERS", 8))
RPM, TPM = 3000, 1600000  # of the first model: calls are scarcer
MODEL = "gpt-4o-mini"
SCARCE_TPM = 500000  # of the second: tokens are
SCARCE = "gpt-4o"
FILL = 0.1
SETTLING = 20  # a start ramps up, and the bucket's level settles
PARKED = 150
CONFIG = {
    "worker": {"park_rows_per_unit": PARKED},
    "tiers": [{"name": "economy", "candidates": [{"provider": "openai", "model": MODEL}]},
              {"name": "standard", "candidates": [{"provider": "openai", "model": SCARCE}]}],
    "limits": [{"provider": "openai", "model": MODEL, "requests_per_minute": RPM,
                "tokens_per_minute": TPM},
               {"provider": "openai", "model": SCARCE, "requests_per_minute": RPM,
                "tokens_per_minute": SCARCE_TPM}],
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
'{0}', '{-1}', '{-1}', '{0}', '{0}', '{f}', '{6}');
"""


def mixed(fleet, count, **more):
    """Jobs whose calls are of many sizes, 350 tokens on average."""
    return [fleet.job(max_output_tokens=None, parameters={"max_output_tokens": 100 + 50 * (i % 11)}, **more)
            for i in range(count)]


def quota(seen, model, kind):
    """A bucket of the simulator: its limit, and what is left."""
    return next(row[kind] for row in seen["quotas"] if row["model"] == model)


def measure(fleet, seconds):
    """What the simulator saw meanwhile, and how long that was by its clock."""
    before = fleet.control()
    time.sleep(seconds)
    after = fleet.control()
    seen = {name: scope(after)[name] - scope(before)[name] for name in ("requests", "accepted", "limited")}
    return seen, after["seconds"] - before["seconds"], before, after


def scope(seen):
    """The first model's own counts."""
    return next(row for row in seen["scopes"] if row["model"] == MODEL)


def used(seen, seconds, rpm):
    return seen["accepted"] / (rpm * seconds / 60)


def tokens_used(before, after, seconds):
    """The share of the tokens that came in: what is not in the bucket was taken."""
    stored = quota(after, SCARCE, "tpm")["left"] - quota(before, SCARCE, "tpm")["left"]
    return 1 - stored / (SCARCE_TPM * seconds / 60)


def levels(seen):
    return " ".join(f"{row['model']} {kind} {row[kind]['left'] / row[kind]['limit']:.0%}"
                    for row in seen["quotas"] for kind in ("rpm", "tpm") if kind in row)


def least_of_windows(fleet, count, rpm):
    """The least share of the limit that was accepted in any of the next windows of 5 s."""
    shares = []
    for _ in range(count):
        seen, seconds, _, _ = measure(fleet, 5)
        shares.append(used(seen, seconds, rpm))
    return min(shares)


def check_caps(fleet, what):
    rows = fleet.sql("SELECT count(*), count(*) FILTER (WHERE charged + reserved > cap OR excess > 0) FROM commits")
    same(rows[0][1], "0", f"commits of {what} over a cap")
    say(f"{rows[0][0]} commits of balances, none over its cap")
    fleet.sql("TRUNCATE commits")


def uses_the_limit(fleet):
    claim(f"{WORKERS} workers use limits of {RPM} calls and of {SCARCE_TPM} tokens a minute, and are never told to wait")
    fleet.produce(mixed(fleet, int(RPM / 60 * (2.2 * SECONDS + 90))))
    fleet.produce(mixed(fleet, int(SCARCE_TPM / 350 / 60 * (SECONDS + 120)), tier="standard"))
    wait_for(30, "calls have begun", lambda: len(fleet.control()["quotas"]) == 2)
    time.sleep(SETTLING)
    seen, seconds, before, after = measure(fleet, SECONDS)
    tokens = tokens_used(before, after, seconds)
    say(f"buckets before: {levels(before)}; after: {levels(after)}")
    say(f"{seen['accepted']} calls accepted in {seconds:.1f} s: {used(seen, seconds, RPM):.1%} of the limit on calls")
    say(f"{tokens:.1%} of the limit on tokens where those are scarcer")
    sure(0.98 <= used(seen, seconds, RPM) <= 1.05, "98 % of the limit on calls is used")
    # Within a minute the level of that bucket may move by some seconds' worth.
    sure((0.98 if SECONDS >= 300 else 0.9) <= tokens <= 1.1, "98 % of the limit on tokens is used")
    same(after["limited"], 0, "429s because of the limits")


def survives_a_crash(fleet):
    half = WORKERS // 2
    claim(f"{half} workers are killed, {half} more are started: within 5 s the limit is used again")
    for name in list(fleet.workers)[:half]:
        fleet.workers[name].kill()
    for i in range(half):
        fleet.workers.setdefault(f"new{i}", Worker(fleet, f"new{i}")).start(wait=False)
    time.sleep(5)
    least = least_of_windows(fleet, 3, RPM)
    say(f"of the three windows of 5 s from 5 s after it on none used less than {least:.1%} of the limit")
    sure(least >= 0.95, "95 % of the limit 5 s after the crash")
    for i in range(half):
        wait_for(30, "a new worker is ready", fleet.workers[f"new{i}"].is_ready)
    same(fleet.control()["limited"], 0, "429s because of the limits")


def finds_a_halved_limit(fleet):
    claim("the limit is halved, headers are silent: 429s are few, and then none")
    fleet.control(limit=f"rpm={RPM // 2},model={MODEL}", hide_headers=True)
    seen, seconds, _, _ = measure(fleet, SECONDS)
    say(f"{seen['limited']} of {seen['requests']} calls were told to wait in the {seconds:.0f} s from the change on "
        f"({seen['limited'] / max(seen['requests'], 1):.2%})")
    # A shorter run has the same beginning, where most of them come: half of what ten minutes may have.
    bound = 0.01 * seen["requests"] if SECONDS >= 600 else 0.005 * RPM / 2 * 10
    sure(seen["limited"] < bound, f"429s fewer than {bound:.0f}")
    seen, seconds, _, _ = measure(fleet, 10)
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
    # Jobs of the parts before may wait for their share of a rate: those are due today.
    same(fleet.number(f"SELECT count(*) FROM jobs WHERE job_id IN ({ids}) AND state = 'PARKED' AND "
                      "due < date_trunc('day', now(), 'UTC') + interval '1 day'"), 0, "parked jobs that are due today")
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
                     "'{0}', '{-1}', '{-1}', '{0}', '{0}', '{f}', '{6}')")[0]


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


PARTS = (uses_the_limit, survives_a_crash, finds_a_halved_limit, races_for_the_last_calls, races_in_postgres,
         makes_a_call_of_crumbs, waits_at_the_bound, changes_at_run_time)


def main():
    simulator = ["--limit", f"rpm={RPM},tpm={TPM},model={MODEL},fill={FILL}",
                 "--limit", f"rpm={RPM},tpm={SCARCE_TPM},model={SCARCE},fill={FILL}", "--latency", "uniform:20,200"]
    with Fleet("test_limits", simulator=simulator, config=CONFIG, partitions=8) as fleet:
        fleet.sql(WATCH)
        fleet.start(*(f"worker{i}" for i in range(WORKERS)))
        for part in PARTS:
            if part.__name__ in (sys.argv[1:] or [part.__name__]):
                part(fleet)
        fleet.stop()
        audit(fleet)


if __name__ == "__main__":
    sys.exit(main())
