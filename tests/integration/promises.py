"""The promises, checked from outside: the driver's own list of jobs, the topics' messages, the
rows, and the bill that the simulator keeps by itself.

    promises.check_outcomes(fleet, ids)
    promises.check_ledger(fleet, crashes=False)
"""
import collections
import json

from fleet import Failed, same, say, sure, wait_for

# Not billed, but the client cannot know that: it wrote its request and heard nothing.
SILENT = {"reset", "hang_early"}
# Billed, and the answer says how many tokens: charged to the pico-dollar however bad it is.
# Everything else that spoils an answer hides the usage, so it is written off at its bound.
ENDS = ("DONE", "DEAD", "CANCELLED")


# --- outcomes ---

def check_outcomes(fleet, ids, runs=1, rejects=0):
    """Every job ended once per run, and what was said of it in Kafka is one event of one form."""
    results = collections.Counter()
    for job, run, outcome in fleet.sql("SELECT job_id, run, outcome FROM results"):
        results[job, int(run)] += 1
    lost = [job for job in ids if not results[job, 0]]
    sure(not lost, f"{len(lost)} jobs have no outcome, the first is {lost[:1]}")
    same(len(results), len(set(ids)) + runs - 1, "runs with an outcome")
    doubled = [key for key, count in results.items() if count > 1]
    sure(not doubled, f"{len(doubled)} runs have two outcomes, the first is {doubled[:1]}")
    same(fleet.number("SELECT count(*) FROM jobs WHERE state NOT IN ('DONE', 'DEAD', 'CANCELLED')"),
         0, "jobs that have not ended")
    same(fleet.number("SELECT count(*) FROM outbox"), 0, "debts in the outbox")
    events, copies = check_events(fleet, results, rejects)
    states = dict(fleet.sql("SELECT state, count(*) FROM jobs GROUP BY state"))
    say(f"outcomes: {len(results)} runs ended once ({', '.join(f'{count} {state.lower()}' for state, count in sorted(states.items()))}); "
        f"{events} events, {copies} delivered again with the same bytes")
    return states


def check_events(fleet, results, rejects):
    """One event id and one body for each run, over results and dead letters together."""
    seen, copies, letters = {}, 0, set()
    for message in fleet.consume("results") + fleet.consume("dead"):
        event = json.loads(message.body)
        if event.get("kind") == "message":
            letters.add(event["event_id"])
            continue
        key = event["job_id"], event["run"]
        told = event["event_id"], message.topic, message.body
        same(message.headers.get("sluice-event-id"), event["event_id"], f"header of {key}")
        same(message.key, event["job_id"], "the event's key")
        copies += key in seen
        if seen.setdefault(key, told) != told:
            raise Failed(f"two events for run {key}: {seen[key]} and {told}")
    same(set(seen) - set(results), set(), "events of runs that have no outcome")
    same(len(set(results) - set(seen)), 0, "outcomes without an event")
    same(len(letters), rejects, "dead letters of messages")
    return len(seen), copies


# --- money ---

def read_bill(path):
    """Billed calls by the client's request id, and how they ended by the provider's."""
    billed, ends = collections.defaultdict(list), {}
    with open(path) as file:
        for line in map(json.loads, file):
            if "delivered" in line:
                ends[line["request"]] = line
            else:
                billed[line["id"]].append(line)
    return billed, ends


def read_ledger(fleet):
    same(fleet.sql("SELECT attempt_id, sum(amount) FROM ledger WHERE kind = 'share' GROUP BY 1 HAVING sum(amount) <> 0"), [],
         "calls whose shares do not sum to nothing")
    rows = collections.defaultdict(list)
    for attempt, kind, amount in fleet.sql("SELECT attempt_id, kind, amount FROM ledger WHERE kind <> 'share'"):
        rows[attempt].append((kind, None if amount is None else int(amount)))
    return rows


def verdict_of(call, end, rows, crashes):
    """Which promise the rows of one billed call keep; None: none."""
    amount = int(call["amount"])
    sound = end is not None and end["delivered"] and "fault" not in end
    if rows == [("charge", amount)]:
        return "charged"
    if len(rows) == 1 and rows[0][0] == "unknown" and rows[0][1] is not None and rows[0][1] >= amount:
        return "unknown" if not sound or crashes else None
    return None


def story(fleet, attempt):
    """All that is known of the job of an attempt, for the failure's text."""
    return "\n".join(str(row) for row in fleet.sql(
        "SELECT a.attempt_id, a.state, a.run, a.hop, a.epoch, a.worker_id, a.sent_at, a.closed_at, a.reply, a.verdict, "
        "j.state, j.epoch, j.crash_count, j.reason, l.kind, l.amount, l.purpose FROM attempts b "
        "JOIN attempts a USING (job_id) JOIN jobs j USING (job_id) LEFT JOIN ledger l ON l.attempt_id = a.attempt_id "
        f"WHERE b.attempt_id = '{attempt}' ORDER BY a.sent_at"))


def check_calls(fleet, billed, ends, ledger, crashes):
    kinds = collections.defaultdict(collections.Counter)
    for attempt, calls in billed.items():
        same(len(calls), 1, f"billed calls of attempt {attempt}")
        end = ends.get(calls[0]["request"])
        verdict = verdict_of(calls[0], end, ledger.get(attempt, []), crashes)
        if not verdict:
            raise Failed(f"call {calls[0]} ended {end}, but the ledger has {ledger.get(attempt)}\n"
                         + story(fleet, attempt))
        fault = (end or {}).get("fault", "delivered" if end and end["delivered"] else "cut off")
        kinds[verdict][fault] += 1
    return kinds


def check_ledger(fleet, crashes=False, silent=None):
    """Stage 1: row by row. Stage 2: after booking what the bill says, sums are equal.

    silent: how many calls got no answer and were not billed; None: nobody can say.
    """
    billed, ends = read_bill(fleet.bill_path)
    ledger = read_ledger(fleet)
    kinds = check_calls(fleet, billed, ends, ledger, crashes)
    others = {attempt: rows for attempt, rows in ledger.items() if attempt not in billed}
    for attempt, rows in others.items():
        sure([kind for kind, _ in rows] == ["unknown"], f"booked, not billed: {attempt} {rows}")
    if silent is not None:
        same(len(others), silent, "unknowns that nobody billed")
    for verdict, faults in sorted(kinds.items()):
        say(f"ledger: {sum(faults.values())} calls {verdict}:",
            ", ".join(f"{count} {fault}" for fault, count in faults.most_common()))
    say(f"ledger: {len(others)} unknowns of calls that were never billed")
    check_sums(fleet, billed)
    return {"charged": sum(kinds["charged"].values()), "unknown": sum(kinds["unknown"].values()),
            "never billed": len(others)}


def check_sums(fleet, billed):
    owner = {attempt: (unit, model) for attempt, unit, model in fleet.sql(
        "SELECT a.attempt_id, p.business_unit, a.model FROM attempts a "
        "JOIN jobs j USING (job_id) JOIN payloads p ON p.day = j.day AND p.job_id = j.job_id")}
    bill = collections.Counter()
    for attempt, calls in billed.items():
        bill[owner[attempt]] += sum(int(call["amount"]) for call in calls)
    audit_bill(fleet, "--book")
    booked = {(unit, model): int(amount) for unit, model, amount in fleet.sql(
        "SELECT l.business_unit, a.model, sum(l.amount) FROM ledger l "
        "JOIN attempts a USING (attempt_id) GROUP BY 1, 2 HAVING sum(l.amount) <> 0")}
    same(booked, {key: amount for key, amount in bill.items() if amount}, "pico-dollars by unit and model")
    viewed = {unit: round(float(usd) * 1e12) for unit, usd in fleet.sql(
        "SELECT business_unit, sum(usd) FROM cost_per_business_unit_day GROUP BY 1")}
    by_unit = collections.Counter()
    for (unit, _), amount in bill.items():
        by_unit[unit] += amount
    same(viewed, {unit: amount for unit, amount in by_unit.items() if amount or unit in viewed},
         "pico-dollars by unit in the view")
    say(f"ledger = bill: {sum(bill.values()) / 1e12:.9f} USD over {len(bill)} pairs of unit and model")
    audit(fleet)


def audit(fleet):
    """`sluice audit` finds nothing; its output is the failure's text."""
    fleet.sluice("audit")


def audit_bill(fleet, *words):
    fleet.sluice("audit", "--bill", fleet.bill_path, "--complete", *words)


def check_all(fleet, ids, crashes=False, silent=None, **more):
    audit(fleet)
    states = check_outcomes(fleet, ids, **more)
    return states, check_ledger(fleet, crashes, silent)
