"""What the oracle looks at, read without any code of the product: rows through psql, messages through
kcat, the provider's bill from its file. Everything is read once, when it is first asked for."""
import collections
import functools
import json
import os
import subprocess
import tempfile

Message = collections.namedtuple("Message", "topic partition offset key body")
Attempt = collections.namedtuple(
    "Attempt", "id job run hop epoch state worker sent closed verdict reply model bound")

MAX_BODY = 12000000


def command(words):
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: "
                           f"{done.stderr.decode(errors='replace')[-800:]}")
    return done.stdout


class Evidence:
    def __init__(self, facts):
        self.facts = facts

    # --- rows ---

    def sql(self, query):
        data = command(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", "\x1f", "-R",
                        "\x1e", "-P", "null=\x1d", self.facts["postgres"],
                        "-c", "SET search_path = sluice", "-c", query])
        data = data.decode().removesuffix("\n")
        return [tuple(None if cell == "\x1d" else cell for cell in row.split("\x1f"))
                for row in (data.split("\x1e") if data else [])]

    @functools.cached_property
    def jobs(self):
        return {row[0]: {"state": row[1], "run": int(row[2]), "hop": int(row[3]),
                         "crashes": int(row[4]), "epoch": int(row[5])}
                for row in self.sql(
                    "SELECT job_id, state, run, hop, crash_count, epoch FROM jobs")}

    @functools.cached_property
    def tombstones(self):
        return dict(self.sql("SELECT job_id, state FROM tombstones"))

    @functools.cached_property
    def results(self):
        """By job and run, a list: output as hexadecimal."""
        found = collections.defaultdict(list)
        for job, run, outcome, reason, output in self.sql(
                "SELECT job_id, run, outcome, reason, encode(output, 'hex') FROM results"):
            found[job, int(run)].append({"outcome": outcome, "reason": reason, "output": output})
        return found

    @functools.cached_property
    def attempts(self):
        rows = self.sql(
            "SELECT attempt_id, job_id, run, hop, epoch, state, worker_id, "
            "extract(epoch FROM sent_at), extract(epoch FROM closed_at), verdict, reply, model, bound "
            "FROM attempts")
        return {row[0]: Attempt(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), row[5], row[6],
                                float(row[7]), None if row[8] is None else float(row[8]), *row[9:])
                for row in rows}

    @functools.cached_property
    def ledger(self):
        """By attempt, a list of (kind, pico-dollars or None)."""
        found = collections.defaultdict(list)
        for attempt, kind, amount in self.sql(
                "SELECT attempt_id, kind, amount FROM ledger WHERE kind <> 'share' ORDER BY kind, seq"):
            found[attempt].append((kind, None if amount is None else int(amount)))
        return found

    @functools.cached_property
    def shares(self):
        """By attempt that several jobs shared: what its shares sum to, and how many there are."""
        return {attempt: (int(amount), int(count)) for attempt, amount, count in self.sql(
            "SELECT attempt_id, sum(amount), count(*) FROM ledger WHERE kind = 'share' GROUP BY 1")}

    @functools.cached_property
    def deciding(self):
        """By job and run, the attempts whose money the ledger says bought the answer."""
        found = collections.defaultdict(list)
        for job, run, attempt in self.sql(
                "SELECT DISTINCT job_id, run, attempt_id FROM ledger WHERE purpose = 'accepted' "
                "AND kind <> 'share'"):
            found[job, int(run)].append(attempt)
        return found

    @functools.cached_property
    def lost_workers(self):
        """Those whose process was killed, stopped or otherwise kept from hearing its answers."""
        pids = {str(pid) for pid in self.facts.get("lost_pids", [])}
        return {row[0] for row in self.sql("SELECT worker_id, pid FROM workers") if row[1] in pids}

    @functools.cached_property
    def rejects(self):
        """By place: (reason, job or None, SHA-256 of the bytes)."""
        return {(row[0], int(row[1]), int(row[2])): (row[3], row[4], row[5]) for row in self.sql(
            "SELECT topic, partition_no, offset_no, reason, job_id, encode(sha256(body), 'hex') "
            "FROM rejects")}

    # --- messages ---

    @functools.lru_cache(maxsize=None)
    def messages(self, topic):
        """All of a topic, as bytes; a body of None is a message without a value."""
        data = command(["kcat", "-C", "-e", "-q", "-b", self.facts["brokers"], "-t", topic, "-o",
                        "beginning", "-X", f"fetch.message.max.bytes={MAX_BODY}",
                        "-f", "%p\t%o\t%K\t%S\t%k%s\n"])
        found, at = [], 0
        while at < len(data):
            ends = [at]
            for _ in range(4):
                ends.append(data.index(b"\t", ends[-1]) + 1)
            partition, offset, key, body = (int(data[a:b - 1]) for a, b in zip(ends, ends[1:]))
            at = ends[-1]
            key_bytes = data[at:at + max(key, 0)]
            at += max(key, 0)
            found.append(Message(topic, partition, offset, key_bytes.decode(errors="replace"),
                                 data[at:at + body] if body >= 0 else None))
            at += max(body, 0) + 1
        return found

    @functools.cached_property
    def events(self):
        """What was told to the outside: (message, what it says), job letters and results."""
        told = []
        for topic in (self.facts["prefix"] + ".results", self.facts["prefix"] + ".dead"):
            told += [(message, json.loads(message.body)) for message in self.messages(topic)]
        return told

    # --- the bill ---

    @functools.cached_property
    def bill(self):
        """By attempt, a list of what was accepted; `end` says how it ended, None: not at all."""
        calls, ends = collections.defaultdict(list), {}
        with open(self.facts["bill"], encoding="utf-8") as file:
            for line in map(json.loads, file):
                if "delivered" in line:
                    ends[line["request"]] = line
                else:
                    calls[line["id"]].append({"amount": int(line["amount"]), "line": line})
        for billed in calls.values():
            for call in billed:
                call["end"] = ends.get(call["line"]["request"])
        return calls


def save(path, value):
    """Whole or not at all."""
    handle, aside = tempfile.mkstemp(dir=os.path.dirname(path) or ".")
    with os.fdopen(handle, "w") as file:
        json.dump(value, file, indent=1)
    os.rename(aside, path)
