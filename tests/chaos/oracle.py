#!/usr/bin/env python3
"""The oracle: judges a run of Sluice by the invariants of the catalogue. It knows what was submitted,
the provider's own bill, the topics and the tables, and shares no code with the product.

    oracle.py FACTS.json              every invariant, before anything is reconciled
    oracle.py FACTS.json --sums       ledger against bill, after `sluice audit --bill --book`
    oracle.py FACTS.json --offsets    only I5, with the world stopped: may be asked at any instant

FACTS.json says what the driver did:

    postgres, brokers, group, prefix, topics {name: partitions}, bill     where to look
    jobs {id: {unit, runs}}            what was submitted, and how many runs each was to have
    groups {name: [topic]}             who reads what; default: `group` reads all
    lost_pids [..]                     processes that were killed or stopped
    spoilt [id]                        attempts whose answers were kept back on their way
    cancelled {id: "requested" | "not_seen"}    what the cancellation answered
    poison [{topic, sha256}]           messages that are no jobs
    conflicts [id]                     jobs whose id was also sent with another body
    calls_once                         nobody was killed and no fault struck: one call a job and hop
    offsets                            file of committed offsets as seen meanwhile
    first_hop                          1 where the router comes first (0)
    took, bound                        seconds from the end of the faults to the end of the work
    cut [[topic, partition, offset, body]]      messages that were deleted from their topics
    samples [{worker, at, kib, threads, files}]    what processes held, for I11
    balances                           table with every commit of a budget's balance
    limited                            calls the provider refused because of its limits
    questions {job: question}          of tasks that keep answers: jobs that ask exactly the same
    batches [..]                       what the provider's list of batches says
    webhooks {jobs {id: secrets}, posts [{job, status, id, timestamp, signature, body}], forbidden}

Prints a line per invariant with how many things it looked at; exits with 1 when one is broken.
"""
import argparse
import base64
import collections
import hashlib
import hmac
import json
import sys

from evidence import Evidence, Message, save
from offsets import OffsetReader

ENDS = {"DONE": "done", "DEAD": "dead", "CANCELLED": "cancelled"}
SHOWN = 5


class Verdict:
    """What one invariant found: how much it looked at, and what contradicts it."""

    def __init__(self, name, claim):
        self.name, self.claim, self.looked, self.wrong, self.note = name, claim, 0, [], ""

    def look(self, truth, what):
        self.looked += 1
        if not truth:
            self.wrong.append(what() if callable(what) else what)

    def as_dict(self):
        return {"name": self.name, "claim": self.claim, "looked": self.looked,
                "broken": len(self.wrong), "note": self.note, "examples": self.wrong[:SHOWN]}

    def __str__(self):
        word = "BROKEN" if self.wrong else "holds" if self.looked else "not asked"
        text = f"{self.name:4} {word:9} {self.looked:7}  {self.claim}"
        if self.note:
            text += f" ({self.note})"
        for what in self.wrong[:SHOWN]:
            text += f"\n                        {what}"
        if len(self.wrong) > SHOWN:
            text += f"\n                        … {len(self.wrong)} in all"
        return text


# --- I1, I2: outcomes ---

def is_buried(facts, seen, job):
    return job in facts["cancelled"] and seen.tombstones.get(job) == "CANCELLED"


def no_job_is_lost(facts, seen):
    v = Verdict("I1", "every submitted job ended, every run of it")
    for job, told in facts["jobs"].items():
        ended = all(seen.results.get((job, run)) for run in range(told["runs"]))
        state = seen.jobs.get(job, {}).get("state")
        v.look((ended and state in ENDS) or is_buried(facts, seen, job),
               lambda job=job, state=state: f"job {job}: its row says {state}")
    for job in seen.jobs:
        if job not in facts["jobs"]:
            v.look(False, f"job {job} was never submitted")
    return v


def one_outcome(facts, seen):
    v = Verdict("I2", "one outcome per run, one event id and one body for it")
    told = collections.defaultdict(set)
    for message, event in seen.events:
        if event.get("kind") != "message":
            told[event["job_id"], event["run"]].add((event["event_id"], message.body))
    for (job, run), rows in seen.results.items():
        v.look(len(rows) == 1, f"job {job} run {run} has {len(rows)} outcomes")
        v.look(len(told[job, run]) <= 1,
               f"job {job} run {run} was told in {len(told[job, run])} ways")
        if seen.jobs.get(job, {}).get("run") == run:
            v.look(seen.jobs[job]["state"] == rows[0]["outcome"],
                   f"job {job} is {seen.jobs[job]['state']}, its outcome {rows[0]['outcome']}")
    for message, event in seen.events:
        if event.get("kind") != "message":
            check_event(v, seen, message, event)
    return v


def check_event(v, seen, message, event):
    rows = seen.results.get((event["job_id"], event["run"]))
    if not rows:
        return  # I7 says so
    v.look(event["outcome"] == ENDS[rows[0]["outcome"]],
           f"event of job {event['job_id']} says {event['outcome']}, its row {rows[0]['outcome']}")
    v.look(message.key == event["job_id"], f"event of job {event['job_id']} has key {message.key}")
    if event["outcome"] == "done" and rows[0]["output"] is not None:
        output = bytes.fromhex(rows[0]["output"])
        told = event.get("output", event.get("text"))
        v.look(is_told(output, told),
               f"job {event['job_id']}: the event's output is {str(told)[:200]}, the row's {output[:200]}")


def is_told(output, told):
    """As text, or as the JSON that it is."""
    try:
        return told == (output.decode() if isinstance(told, str) else json.loads(output))
    except ValueError:
        return False


# --- I3: money ---

def is_sound(call):
    """The whole answer left the provider as it should be."""
    end = call["end"]
    return bool(end and end["delivered"] and "fault" not in end)


def not_heard(facts, seen, made):
    """Its worker died, or the answer was kept back although it had left the provider."""
    return made.worker in seen.lost_workers or made.id in facts["spoilt"]


def books_well(call, rows, made, lost):
    """A charge of the bill's amount; or, for an answer that was not heard, an unknown at or above it."""
    kinds = [kind for kind, _ in rows]
    if None in (amount for _, amount in rows):
        return False
    net = sum(amount for _, amount in rows)
    if kinds == ["charge"] or kinds == ["unknown", "adjustment"]:
        return net == call["amount"]
    # An attempt that was closed was heard in the end: its unknown must have been put right.
    return kinds == ["unknown"] and net >= call["amount"] and made.state == "unknown" and \
        (lost or not is_sound(call))


def ledger_is_bill(facts, seen):
    v = Verdict("I3", "each billed call is booked as billed, or as unknown at or above it")
    kinds = collections.Counter()
    for attempt, calls in seen.bill.items():
        made, rows = seen.attempts.get(attempt), seen.ledger.get(attempt, [])
        v.look(made is not None, f"billed, but no attempt announced it: {attempt}")
        if not made:
            continue
        lost = not_heard(facts, seen, made)
        v.look(len(calls) == 1 and books_well(calls[0], rows, made, lost),
               lambda a=attempt, c=calls, r=rows, lost=lost:
               f"attempt {a}: billed {[x['amount'] for x in c]}, ended {c[0]['end']}, booked {r}, "
               f"{'it may not have been heard' if lost else 'its worker lived'}")
        kinds.update(kind for kind, _ in rows)
    for attempt, rows in seen.ledger.items():
        if attempt not in seen.bill:
            v.look([kind for kind, _ in rows] == ["unknown"] or sum(a or 0 for _, a in rows) == 0,
                   f"booked, but not billed: attempt {attempt} {rows}")
    for attempt, (amount, count) in seen.shares.items():
        v.look(amount == 0 and count > 1 and "charge" in [kind for kind, _ in seen.ledger.get(attempt, [])],
               f"attempt {attempt} is shared in {count} rows that sum to {amount}")
    for attempt in seen.attempts.values():
        v.look(attempt.state != "sent", f"attempt {attempt.id} of job {attempt.job} is still open")
    v.note = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return v


def sums_are_equal(facts, seen):
    """Stage 2, after booking: by business unit as submitted, and by model as asked for."""
    v = Verdict("I3s", "after booking the ledger's sums are the bill's, by unit and model")
    bill, booked = collections.Counter(), collections.Counter()
    for attempt, calls in seen.bill.items():
        made = seen.attempts.get(attempt)
        unit = facts["jobs"].get(made.job, {}).get("unit") if made else None
        bill[unit, made.model if made else None] += sum(call["amount"] for call in calls)
    for unit, model, amount in seen.sql(
            "SELECT l.business_unit, a.model, sum(l.amount) FROM ledger l "
            "JOIN attempts a USING (attempt_id) GROUP BY 1, 2"):
        booked[unit, model] += int(amount or 0)
    for key in set(bill) | set(booked):
        v.look(bill[key] == booked[key], f"{key}: billed {bill[key]}, booked {booked[key]}")
    v.look(sum(bill.values()) == sum(booked.values()), "the whole differs")
    v.note = f"ledger - bill = {sum(booked.values()) - sum(bill.values())} pico-dollars"
    return v


# --- I4: calls ---

def was_no_good(attempt):
    """The answer was heard and found wanting, so that asking again was right."""
    return attempt.verdict not in ("accept", "reconciled", None)


def no_needless_calls(facts, seen):
    """A second call of a hop needs a reason: an answer that was spoilt, wrong or not heard."""
    v = Verdict("I4", "one call per job, run and hop, and one more for each fault that hit it"
                if not facts["calls_once"] else "exactly one call per job, run and hop")
    good, every = collections.Counter(), collections.Counter()
    for attempt, calls in seen.bill.items():
        made = seen.attempts.get(attempt)
        if not made:
            continue
        hop = made.job, made.run, made.hop
        every[hop] += len(calls)
        lost = not_heard(facts, seen, made)
        good[hop] += sum(is_sound(call) and not lost and not was_no_good(made) for call in calls)
        v.look(len(calls) == 1, f"attempt {attempt} was billed {len(calls)} times")
    for hop, count in (every if facts["calls_once"] else good).items():
        v.look(count <= 1, f"job {hop[0]} run {hop[1]} hop {hop[2]}: {count} calls for one answer")
    if facts["calls_once"]:
        calls = {hop[:2] for hop in every}
        for job, told in facts["jobs"].items():
            called = any((job, run) in calls for run in range(told["runs"]))
            results = seen.results.get((job, 0))
            if results and results[0]["outcome"] == "DONE" and \
                    not (job in facts["questions"] and results[0]["reason"] == "cached"):
                v.look(called, f"job {job} is done without a call")
    if every:
        v.note = f"{sum(every.values()) / len({hop[:2] for hop in every}):.3f} calls a run"
    return v


# --- I5, I6: offsets ---

def is_kept(seen, message):
    if (message.topic, message.partition, message.offset) in seen.rejects:
        return True
    try:
        body = json.loads(message.body)
        job = body.get("job_id")
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
    return job in seen.jobs or job in seen.tombstones


def offsets_follow_rows(facts, seen):
    v = Verdict("I5", "no offset is committed beyond a message that is no row")
    # Offsets first: rows only grow, so what was committed before must be there after.
    committed = {}
    for group, topics in facts["groups"].items():
        sizes = {topic: facts["topics"][topic] for topic in topics}
        committed.update(OffsetReader(facts["brokers"], group).read(sizes))
    ends = collections.Counter()
    for topic in facts["topics"]:
        for message in seen.messages(topic):
            ends[topic, message.partition] = message.offset + 1
            if message.offset < committed.get((topic, message.partition), 0):
                v.look(is_kept(seen, message),
                       f"{topic}/{message.partition}/{message.offset} is below the committed offset, "
                       "but there is no row")
    for topic, partition, offset, body in facts["cut"]:
        ends[topic, partition] = max(ends[topic, partition], offset + 1)
        v.look(is_kept(seen, Message(topic, partition, offset, None, body)),
               f"{topic}/{partition}/{offset} was deleted below the committed offset, but there is no row")
    for place, offset in committed.items():
        v.look(offset <= ends[place], f"{place}: {offset} is committed, {ends[place]} messages are there")
    v.note = f"{len(committed)} partitions"
    return v


def offsets_never_go_back(facts, seen):
    v = Verdict("I6", "committed offsets never go back")
    last = {}
    if facts.get("offsets"):
        with open(facts["offsets"], encoding="utf-8") as file:
            for line in file:
                at, topic, partition, offset = line.split()
                before = last.get((topic, partition), 0)
                v.look(int(offset) >= before,
                       f"{topic}/{partition}: {before}, then {offset} at {at} s")
                last[topic, partition] = int(offset)
    return v


# --- I7: follow-ups ---

def debts_are_paid(facts, seen):
    v = Verdict("I7", "every outcome and every move was told, and nothing else was")
    told = {(event["job_id"], event["run"]) for _, event in seen.events
            if event.get("kind") != "message"}
    for job, run in seen.results:
        v.look((job, run) in told, f"job {job} run {run} ended, but no event says so")
    for job, run in told:
        v.look((job, run) in seen.results, f"an event tells of job {job} run {run}, but no row")
    v.look(seen.sql("SELECT count(*) FROM outbox") == [("0",)], "the outbox is not empty")
    moves = {(body.get("job_id"), body.get("run", 0), body.get("hop", 0))
             for topic in facts["topics"] for body in thin_messages(seen, topic)}
    moves |= {(body["job_id"], body.get("run", 0), body.get("hop", 0))
              for body in (json.loads(message[3]) for message in facts["cut"]) if "prompt" not in body}
    for attempt in seen.attempts.values():
        if attempt.hop > facts["first_hop"]:
            v.look((attempt.job, attempt.run, attempt.hop) in moves,
                   f"job {attempt.job} was called in hop {attempt.hop} without a message")
    for job, run, hop in moves:
        row = seen.jobs.get(job)
        v.look(row and (run, hop) <= (row["run"], row["hop"] if run == row["run"] else hop),
               f"a message moves job {job} to run {run} hop {hop}, its row is {row}")
    return v


def thin_messages(seen, topic):
    for message in seen.messages(topic):
        if (message.topic, message.partition, message.offset) in seen.rejects:
            continue
        try:
            body = json.loads(message.body)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(body, dict) and "job_id" in body and "prompt" not in body:
            yield body


# --- I8: owners ---

def one_owner_at_a_time(facts, seen):
    v = Verdict("I8", "no epoch of a job has two owners, no two of its calls overlap, and the last "
                      "epoch decides")
    owners, calls = collections.defaultdict(set), collections.defaultdict(list)
    for attempt in seen.attempts.values():
        owners[attempt.job, attempt.epoch].add(attempt.worker)
        if not any(kind == "unknown" for kind, _ in seen.ledger.get(attempt.id, [])):
            calls[attempt.job].append(attempt)
    for (job, epoch), workers in owners.items():
        v.look(len(workers) == 1, f"job {job} epoch {epoch} had owners {sorted(workers)}")
    for job, made in calls.items():
        made.sort(key=lambda attempt: attempt.sent)
        for before, after in zip(made, made[1:]):
            # An attempt of a later epoch was made after the earlier was taken away, whatever its end.
            v.look(before.epoch < after.epoch or
                   (before.closed is not None and before.closed <= after.sent + 0.001),
                   f"job {job}: {before.id} was open when {after.id} was made")
    for (job, run), attempts in seen.deciding.items():
        v.look(len(attempts) == 1, f"job {job} run {run}: {len(attempts)} calls bought its answer")
        row = seen.jobs.get(job)
        if row and row["run"] == run and attempts[0] in seen.attempts:
            epoch = seen.attempts[attempts[0]].epoch
            v.look(epoch == row["epoch"],
                   f"job {job} was decided under epoch {epoch}, its row is at {row['epoch']}")
    return v


# --- I9, I10: limits, liveness ---

def limits_are_kept(facts, seen):
    v = Verdict("I9", "no call was refused because of the provider's limits")
    if facts.get("limited") is not None:
        v.look(facts["limited"] == 0, f"{facts['limited']} calls were refused by the limits")
    return v


def work_goes_on(facts, seen):
    v = Verdict("I10", "when the faults are over the work ends in time")
    if facts.get("bound"):
        v.look(facts["took"] <= facts["bound"],
               f"not done {facts['bound']:.0f} s after the faults were over")
        v.note = f"{facts['took']:.0f} s of {facts['bound']:.0f}"
    return v


# --- I11: growth ---

LONG, MOST_FILES, MOST_THREADS = 120, 400, 64  # seconds that a process must have lived to be judged


def median(values):
    return sorted(values)[len(values) // 2]


def nothing_grows(facts, seen):
    v = Verdict("I11", "no process grows: memory levels out, files and threads are bounded")
    lives = collections.defaultdict(list)
    for sample in facts["samples"]:
        lives[sample["worker"]].append(sample)
        v.look(sample["files"] <= MOST_FILES and sample["threads"] <= MOST_THREADS, f"too many: {sample}")
    for worker, life in lives.items():
        if life[-1]["at"] - life[0]["at"] < LONG:
            continue
        quarter = len(life) // 4
        early = median([sample["kib"] for sample in life[quarter:2 * quarter]])
        late = median([sample["kib"] for sample in life[3 * quarter:]])
        v.look(late <= 1.2 * early + 4096, f"{worker}: {early} KiB in its second quarter, {late} in its last")
        v.note += f"{worker.split()[0]} {early} to {late} KiB "
    return v


# --- I12: webhooks ---

def signs(post, secret):
    """As https://www.standardwebhooks.com says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    body = base64.b64decode(post["body"])
    content = f"{post['id']}.{post['timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return wanted in post["signature"].split(" ")


def webhooks_are_told(facts, seen):
    v = Verdict("I12", "a webhook is answered for or ended with a reason, under one id, signed")
    told = facts.get("webhooks")
    if not told:
        return v
    posts = collections.defaultdict(list)
    for post in told["posts"]:
        posts[post["job"]].append(post)
    fates = dict(seen.sql("SELECT job_id, fate FROM webhook_log"))
    for job, secrets in told["jobs"].items():
        answered = any(200 <= post["status"] < 300 for post in posts[job])
        v.look(answered == (fates.get(job) == "delivered"),
               f"job {job}: {[post['status'] for post in posts[job]]}, but it is {fates.get(job)}")
        v.look(fates.get(job) in ("delivered", "exhausted", "gone", "disabled"),
               f"job {job}: its webhook is {fates.get(job)}")
        v.look(len({post["id"] for post in posts[job]}) <= 1 and
               len({post["body"] for post in posts[job]}) <= 1,
               f"job {job} was posted in several ways")
        for post in posts[job]:
            v.look(any(signs(post, secret) for secret in secrets), f"job {job}: its signature is wrong")
    for job in set(posts) - set(told["jobs"]):
        v.look(False, f"a post for {job}, which asked for none")
    for job in told["forbidden"]:
        v.look(fates.get(job) == "refused", f"job {job} has a forbidden address: {fates.get(job)}")
    v.note = f"{len(told['posts'])} posts for {len(told['jobs'])} jobs"
    return v


# --- I14: budgets ---

def budgets_hold(facts, seen):
    v = Verdict("I14", "at no commit is more charged and reserved than a budget's cap")
    if facts.get("balances"):
        for unit, cap, charged, reserved, excess in seen.sql(
                f"SELECT unit, cap, charged, reserved, excess FROM {facts['balances']}"):
            v.look(float(charged) + float(reserved) <= float(cap) and float(excess) == 0,
                   f"{unit}: {charged} charged and {reserved} reserved of {cap}")
    return v


# --- I15: batches ---

def batches_are_made_once(facts, seen):
    v = Verdict("I15", "the provider's batches are ours, one for each, and no line of them ran twice")
    if "batches" not in facts:
        return v
    ours = {row[0]: row for row in seen.sql(
        "SELECT provider_batch_id, batch_id, state FROM batches WHERE provider_batch_id IS NOT NULL")}
    made = collections.defaultdict(list)
    for batch in facts["batches"]:
        if batch["status"] != "failed":  # nothing ran, nothing is billed
            made[batch["input_file_id"] or batch["first_custom_id"]].append(batch["id"])
            v.look(batch["id"] in ours, f"the provider made batch {batch['id']}, which we do not know")
    for key, ids in made.items():
        v.look(len(ids) == 1, f"submission {key} made {len(ids)} batches: {ids}")
    listed = {batch["id"] for batch in facts["batches"]}
    for name, row in ours.items():
        v.look(name in listed, f"our batch {row[1]} is {name}, which the provider never made")
    for batch, state in seen.sql("SELECT batch_id, state FROM batches"):
        v.look(state in ("imported", "failed"), f"batch {batch} is {state}")
    for attempt, calls in seen.bill.items():
        lines = [call for call in calls if call["line"].get("mode") == "batch"]
        v.look(len(lines) <= 1, f"line {attempt} was billed {len(lines)} times")
    v.note = f"{len(made)} submissions"
    return v


# --- I13: cancellations ---

def cancelled_is_cancelled(facts, seen):
    v = Verdict("I13", "what was cancelled before its outcome never succeeded")
    for job, answer in facts["cancelled"].items():
        rows = seen.results.get((job, facts["jobs"][job]["runs"] - 1), [])
        outcome = rows[0]["outcome"] if rows else None
        if answer == "requested":
            v.look(outcome in ("CANCELLED", "DEAD"), f"job {job}: requested, then {outcome}")
        elif answer == "not_seen":
            v.look(outcome is None and job not in seen.jobs, f"job {job}: not seen, then {outcome}")
        elif answer != "cancelled":
            v.look(ENDS.get(outcome) == answer or (answer == "ended" and outcome in ENDS),
                   f"job {job}: told to be {answer}, but {outcome}")
    return v


# --- I16: poison ---

def poison_is_kept(facts, seen):
    v = Verdict("I16", "messages that are no jobs are kept to the byte")
    sent = collections.Counter((one["topic"], one["sha256"]) for one in facts["poison"])
    kept = collections.Counter((place[0], row[2]) for place, row in seen.rejects.items()
                               if row[0] == "unparseable")
    for key in set(sent) | set(kept):
        v.look(sent[key] == kept[key], f"{key}: sent {sent[key]} times, kept {kept[key]} times")
    letters = {tuple(event["source"][name] for name in ("topic", "partition", "offset")): event
               for _, event in seen.events if event.get("kind") == "message"}
    for place, (_, _, digest) in seen.rejects.items():
        letter = letters.get(place)
        v.look(letter, f"{place} was rejected without a dead letter")
        if letter and not letter["truncated"]:
            data = base64.b64decode(letter["bytes"])
            v.look(hashlib.sha256(data).hexdigest() == digest, f"{place}: the letter has other bytes")
    for place, (reason, job, _) in seen.rejects.items():
        v.look(reason == "unparseable" or reason == "conflict" and job in facts["conflicts"],
               f"{place} is a job, but was rejected: {reason}")
    for job in facts["conflicts"]:
        v.look(any(row[0] == "conflict" and row[1] == job for row in seen.rejects.values()),
               f"job {job} was sent with two bodies, and nothing was rejected")
    return v


# --- I17: the answer cache ---

def asked_once(facts, seen):
    v = Verdict("I17", "a question is called for until it is answered, and all who ask get that answer")
    asked = collections.defaultdict(list)
    for job, question in facts["questions"].items():  # I1 tells of one that is missing
        asked[question] += [dict(row, alone=seen.jobs[job]["crashes"] > 1) for row in seen.results.get((job, 0), [])]
    for question, rows in asked.items():
        bought = [row["output"] for row in rows if row["reason"] == "accepted"]
        # Who was in two workers when they died is called by itself, whatever others ask.
        calls = sum(row["reason"] == "accepted" and not row["alone"] for row in rows)
        v.look(bought and calls <= 1, f"question {question} was answered by {len(bought)} calls")
        for row in rows:
            v.look(row["reason"] == "accepted" or row["reason"] == "cached" and row["output"] in bought,
                   f"question {question}: {row['outcome']} {row['reason']} with another answer")
    sharers = collections.defaultdict(set)
    if facts["questions"]:
        for attempt, job in seen.sql("SELECT attempt_id, job_id FROM ledger WHERE kind = 'share'"):
            sharers[attempt].add(facts["questions"].get(job))
    for attempt, questions in sharers.items():
        v.look(len(questions) == 1, f"attempt {attempt} is shared by who asked otherwise: {questions}")
    v.note = f"{len(asked)} questions, {len(facts['questions'])} jobs, {len(sharers)} shared calls"
    return v


INVARIANTS = [no_job_is_lost, one_outcome, ledger_is_bill, no_needless_calls, offsets_follow_rows,
              offsets_never_go_back, debts_are_paid, one_owner_at_a_time, limits_are_kept,
              work_goes_on, nothing_grows, webhooks_are_told, cancelled_is_cancelled, budgets_hold, batches_are_made_once,
              poison_is_kept, asked_once]


def count_up(facts, seen):
    """The figures that a report wants beside the verdicts."""
    ended = {job for job, _ in seen.results}
    doubled = sum(len(rows) - 1 for rows in seen.results.values())
    states = collections.Counter(row["state"] for row in seen.jobs.values())
    return {"jobs": len(facts["jobs"]),
            "lost": sum(job not in ended and not is_buried(facts, seen, job) for job in facts["jobs"]),
            "doubled": doubled, "states": dict(states),
            "calls": sum(map(len, seen.bill.values())),
            "unknown": sum(kind == "unknown" for rows in seen.ledger.values() for kind, _ in rows),
            "crashed": sum(row["crashes"] > 0 for row in seen.jobs.values()),
            "through": len({a.job for a in seen.attempts.values() if a.worker in seen.lost_workers})}


def read_facts(path):
    with open(path, encoding="utf-8") as file:
        facts = json.load(file)
    for name, empty in (("jobs", {}), ("cancelled", {}), ("poison", []), ("conflicts", []),
                        ("calls_once", False), ("questions", {}), ("cut", []), ("samples", []),
                        ("spoilt", []), ("first_hop", 0),
                        ("groups", {facts["group"]: list(facts["topics"])})):
        facts.setdefault(name, empty)
    return facts


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facts")
    parser.add_argument("--sums", action="store_true")
    parser.add_argument("--offsets", action="store_true")
    parser.add_argument("--json", help="write the verdicts there as well")
    wishes = parser.parse_args()
    facts = read_facts(wishes.facts)
    seen = Evidence(facts)
    asked = [sums_are_equal] if wishes.sums else \
        [offsets_follow_rows] if wishes.offsets else INVARIANTS
    verdicts = [check(facts, seen) for check in asked]
    for verdict in verdicts:
        print(verdict)
    if wishes.json:
        save(wishes.json, {"verdicts": [verdict.as_dict() for verdict in verdicts],
                           "counts": {} if wishes.offsets else count_up(facts, seen)})
    return 3 if any(verdict.wrong for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
