"""An article pipeline: outline, draft, edit, SEO, check. Each stage's answer becomes part of the next
stage's prompt, and each job names the one it follows from. It is run twice against the simulator, whose
day passes in seconds: every stage call by call on the frontier, and as it is meant, drafts on the
frontier and the cheap stages on the economy tier, all of it in batches.

    scripts/articles [--articles N]

What the stages are, and how many tokens each takes and gives, is in tests/data/articles/stages.json.
"""
import argparse
import json
import os
import sys
import uuid

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import promises  # noqa: E402
from batch_fleet import BatchFleet, config, options  # noqa: E402
from fleet import SOURCE, claim, same, say, sure, wait_for  # noqa: E402

BYTES_A_TOKEN = 4  # as the simulator counts
WORDS = "river stone quiet market seven garden early copper window north paper simple bridge winter light harbor".split()


def read_plan():
    with open(os.path.join(SOURCE, "tests", "data", "articles", "stages.json")) as file:
        return json.load(file)


def brief(tokens, seed):
    """So much text; another one for each article and stage, so that no cache of prompts helps."""
    text = f"Notes {seed}: "
    while len(text) < tokens * BYTES_A_TOKEN:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        text += WORDS[seed >> 60] + " "
    return text[:tokens * BYTES_A_TOKEN]


class Article:
    def __init__(self, fleet, number, way):
        self.fleet, self.number, self.way = fleet, number, way
        self.ids, self.texts = {}, {}

    def job(self, stage, tier, lane):
        """The stage's job: its brief, and the answers it takes, word for word."""
        parts = [brief(stage["brief"], hash_of(self.number, stage["step"], self.way)), f"[[sim:tokens {stage['answer']}]]"]
        parts += [f"--- {step}\n{self.texts[step]}" for step in stage["takes"]]
        parent = self.ids[stage["takes"][0]] if stage["takes"] else None
        topic, job = self.fleet.job(
            tier=tier, lane=lane, task=f"article-{stage['step']}", feature=self.way, output=None, parent_job_id=parent,
            step=stage["step"], parameters={"max_output_tokens": 16000},
            prompt={"name": stage["step"], "version": "1", "messages": [{"role": "user", "content": "\n".join(parts)}]})
        self.ids[stage["step"]] = job["job_id"]
        return topic, job


def hash_of(*what):
    return uuid.uuid5(uuid.NAMESPACE_URL, repr(what)).int % (1 << 64)


def read_answers(fleet, topic="results"):
    """What consumers of the results see, by job."""
    return {event["job_id"]: event for event in (json.loads(message.body) for message in fleet.consume(topic))}


def run_stage(fleet, articles, stage, tier, lane):
    jobs = [article.job(stage, tier, lane) for article in articles]
    before = fleet.ended()
    fleet.produce(jobs)
    wait_for(180, f"{len(jobs)} of stage {stage['step']} have ended", lambda: fleet.ended() >= before + len(jobs), 0.2)
    wait_for(30, "the results are told", lambda: fleet.number("SELECT count(*) FROM outbox") == 0, 0.1)
    events = read_answers(fleet)
    for article in articles:
        event = events.get(article.ids[stage["step"]])
        sure(event and event["outcome"].lower() == "done", f"stage {stage['step']} of article {article.number}: {event}")
        same((event.get("parent_job_id"), event["step"]),
             (article.ids[stage["takes"][0]] if stage["takes"] else None, stage["step"]), "parent and step in the result")
        article.texts[stage["step"]] = event["text"]


def run_articles(fleet, plan, count, way, where):
    """where: stage to tier and lane. Returns the articles, finished."""
    articles = [Article(fleet, number, way) for number in range(count)]
    for stage in plan["stages"]:
        run_stage(fleet, articles, stage, *where(stage))
    return articles


def costs(fleet, way, count):
    """Dollars an article by stage, tokens in and out, and the model."""
    return {step: (float(usd) / count, int(read) // count, int(wrote) // count, models, lanes) for step, usd, read, wrote, models, lanes in fleet.sql(
        "SELECT prompt_name, sum(amount) / 1e12, sum(input + cache_read + cache_write + cache_write_1h), sum(output), "
        "string_agg(DISTINCT model, ' '), string_agg(DISTINCT lane::text, ' ') FROM ledger "
        f"WHERE feature = '{way}' GROUP BY 1")}


def show(plan, frontier, cascade):
    row = "  {:8} {:>11} {:>11} {:>12} {:>12} {:>8}   {}".format
    say(row("stage", "tokens in", "tokens out", "all frontier", "as meant", "saved", "where it ran"))
    for stage in plan["stages"]:
        (was, read, wrote, _, _), (now, _, _, model, lane) = frontier[stage["step"]], cascade[stage["step"]]
        say(row(stage["step"], read, wrote, f"${was:.4f}", f"${now:.4f}", f"{100 * (1 - now / was):.1f} %", f"{model}, {lane}"))
    was, now = (sum(cost[0] for cost in side.values()) for side in (frontier, cascade))
    say(row("article", "", "", f"${was:.4f}", f"${now:.4f}", f"{100 * (1 - now / was):.1f} %", ""))
    return was, now


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=20, help="how many are written each way (20)")
    count, plan = parser.parse_args().articles, read_plan()
    changes = config(max_lines=50000)
    changes["tiers"] = [{"name": tier, "candidates": [plan[tier]]} for tier in ("economy", "frontier")]
    changes["defaults"] = {"min_confidence": 0, "max_output_tokens": 16000}
    with BatchFleet("articles", simulator=options(), config=changes) as fleet:
        fleet.start("sync")
        fleet.batcher("one")
        claim(f"{count} articles, every stage call by call on the frontier")
        run_articles(fleet, plan, count, "all-frontier", lambda stage: ("frontier", "normal"))
        claim(f"{count} articles, drafts on the frontier, the rest on the economy tier, all in batches")
        run_articles(fleet, plan, count, "as-meant", lambda stage: (stage["tier"], "batch"))
        ids = [row[0] for row in fleet.sql("SELECT job_id FROM jobs")]
        was, now = show(plan, costs(fleet, "all-frontier", count), costs(fleet, "as-meant", count))
        batches = fleet.sql("SELECT provider, count(*), sum(lines) FROM batches GROUP BY 1 ORDER BY 1")
        say("batches:", ", ".join(f"{number} of {provider} with {lines} lines" for provider, number, lines in batches))
        promises.check_all(fleet, ids)
        sure(abs(was - plan["all_frontier_usd"]) < 0.03, f"all on the frontier costs about ${plan['all_frontier_usd']}: ${was:.4f}")
        sure(now <= plan["target_usd"], f"as it is meant it costs at most ${plan['target_usd']}: ${now:.4f}")
        say(f"an article costs ${now:.4f} instead of ${was:.4f}; the target was ${plan['target_usd']}")
        fleet.stop()


if __name__ == "__main__":
    main()
