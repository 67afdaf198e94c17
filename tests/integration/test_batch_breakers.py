"""Batch workers and the fleet's breakers: a batch goes to a candidate that works, and none goes up under a
key that is refused until that key is known to work again."""
from batch_fleet import BatchFleet, config, options
from fleet import claim, same, wait_for

CONFIG = config(max_age="300ms")
CONFIG["tiers"] = [
    {"name": "economy", "pick": "cheapest", "candidates": [
        {"provider": "openai", "model": "gpt-4o-mini"},
        {"provider": "anthropic", "model": "claude-haiku-4-5"}]},
    {"name": "standard", "candidates": [{"provider": "openai", "model": "gpt-5"}]},
]


def open_breaker(fleet, model):
    fleet.sql("INSERT INTO breakers (provider, credential, model, until, opened_by, why) "
              f"VALUES ('openai', 'default', '{model}', now() + interval '1 hour', gen_random_uuid(), 'test')")


def providers(fleet, ids):
    wanted = ",".join(f"'{id}'" for id in ids)
    return dict(fleet.sql(f"SELECT provider, count(*) FROM attempts WHERE job_id IN ({wanted}) GROUP BY 1"))


def submit(fleet, tier="economy", count=10):
    return fleet.produce([fleet.job(tier=tier, lane="batch") for _ in range(count)])


def goes_elsewhere(fleet):
    claim("while all is well batches go to the first candidate")
    ids = submit(fleet)
    wait_for(30, "the jobs have ended", lambda: fleet.ended() >= 10)
    same(providers(fleet, ids), {"openai": "10"}, "lines by provider")
    claim("the first is left alone by the fleet: they go to the other")
    open_breaker(fleet, "gpt-4o-mini")
    wait_for(30, "lines go to the other", lambda: "anthropic" in providers(fleet, submit_and_wait(fleet)), 0.5)
    fleet.sql("DELETE FROM breakers")
    wait_for(30, "and back", lambda: providers(fleet, submit_and_wait(fleet)) == {"openai": "4"}, 0.5)


def submit_and_wait(fleet):
    ids = submit(fleet, count=4)
    wanted = ",".join(f"'{id}'" for id in ids)
    wait_for(30, "they are lines", lambda: fleet.number(f"SELECT count(*) FROM attempts WHERE job_id IN ({wanted})") == 4)
    return ids


def waits_for_the_key(fleet):
    claim("under a key that is refused nothing is uploaded; when it works again all goes up")
    before = fleet.number("SELECT count(*) FROM batches WHERE model = 'gpt-5'")
    same(before, 0, "batches of the model so far")
    open_breaker(fleet, "")
    wait_for(30, "the batch worker has read it", lambda: providers(fleet, submit_and_wait(fleet)) == {"anthropic": "4"}, 0.5)
    ids = submit(fleet, "standard")
    wait_for(30, "its lines are gathered", lambda: providers(fleet, ids) == {"openai": "10"})
    # Its age (300 ms) is over long before the other batches have come back.
    wait_for(60, "a later batch has come and gone", lambda: ended(fleet, submit(fleet)) == 10)
    same(fleet.sql("SELECT DISTINCT state FROM batches WHERE model = 'gpt-5'"), [("building",)], "state of the batch")
    fleet.sql("DELETE FROM breakers")
    wait_for(60, "its jobs have ended", lambda: ended(fleet, ids) == 10)


def ended(fleet, ids):
    wanted = ",".join(f"'{id}'" for id in ids)
    count = "SELECT count(*) FROM results WHERE job_id IN (" + wanted + ")"
    wait_for(30, "their batch is over", lambda: fleet.number(count) == len(ids))
    return fleet.number(count)


def main():
    with BatchFleet("test_batch_breakers", simulator=options(), config=CONFIG) as fleet:
        fleet.batcher("one")
        goes_elsewhere(fleet)
        waits_for_the_key(fleet)
        fleet.stop()
        fleet.sluice("audit")


if __name__ == "__main__":
    main()
