"""The last tenth of a budget: who comes later in the order yields to who comes before, in the whole fleet."""
from fleet import Fleet, claim, same, say, wait_for

BUDGET = 100
NINE_TENTHS = BUDGET // 10 * 9 + 1
CONFIG = {
    "worker": {"longest_wait_in_memory": "2s"},
    "tiers": [{"name": "economy", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}]}],
    "budgets": [{"match": {"business_unit": "shop"}, "per": "day", "requests": BUDGET}],
}
PAID, FREE = {"business_unit": "shop"}, {"business_unit": "shop", "plan": "free"}
DONE = "SELECT count(*) FROM payloads JOIN jobs USING (day, job_id) WHERE payloads.business_unit = 'shop' AND state = 'DONE'"


def turn_of(fleet, row, worker, lease, want, rank):
    """A worker's turn at one balance: its lease, and the first rank that asks in the fleet."""
    known = f"'{lease}'::uuid" if lease else "NULL::uuid"
    return fleet.sql("SELECT lease_id, first FROM allow_turn("
                     f"'00000000-0000-7000-8000-{worker:012}', 2, '{{{row}}}', ARRAY[{known}], '{{{want}}}', '{{{want}}}', "
                     f"'{{0}}', '{{-1}}', '{{-1}}', '{{0}}', '{{0}}', '{{f}}', '{{{rank}}}')")[0]


def tells_who_comes_first(fleet):
    claim("from 90 % of a budget on a worker hears the first rank that asks for it in the fleet, below it nobody's")
    row = fleet.number("SELECT allowance_set('balance', 'tokens', 'day', '{\"task\": \"first\"}', 10, NULL, NULL, false, "
                       "'user', 'test', false)")
    lease, _ = turn_of(fleet, row, 1, None, 8, rank=2)
    same(turn_of(fleet, row, 2, None, 0, rank=5)[1], "6", "the first, where 8 of 10 are taken")
    turn_of(fleet, row, 1, lease, 1, rank=2)
    same(turn_of(fleet, row, 2, None, 0, rank=5)[1], "2", "the first, where 9 of 10 are taken")


def yields_the_last_tenth(fleet):
    claim("the last tenth of a budget is for paid plans while they ask for it, though free ones are many, then for those")
    fleet.produce([fleet.job(**PAID) for _ in range(NINE_TENTHS)])
    wait_for(30, "nine tenths are used", lambda: fleet.number(DONE) == NINE_TENTHS)
    paid = (BUDGET - NINE_TENTHS) // 2
    free = BUDGET - NINE_TENTHS - paid
    for turn in range(paid):
        fleet.produce([fleet.job(**PAID)] + [fleet.job(**FREE) for _ in range(40 if turn > 0 else 0)])
        wait_for(30, "the paid one is done", lambda: fleet.number(f"{DONE} AND NOT payloads.free_plan") > NINE_TENTHS + turn)
    early = fleet.number(f"{DONE} AND payloads.free_plan")
    say(f"{paid} paid ones were called beside {40 * (paid - 1)} free ones, and {early} of these")
    same(early, 0, "free ones done while paid ones asked")
    wait_for(30, "what is left is theirs", lambda: fleet.number(f"{DONE} AND payloads.free_plan") == free)
    same(fleet.number("SELECT count(*) FROM ledger WHERE business_unit = 'shop'"), BUDGET, "calls charged")


def main():
    with Fleet("test_yield", simulator=["--latency", "uniform:20,200"], config=CONFIG) as fleet:
        fleet.start("one", "two", "three")
        tells_who_comes_first(fleet)
        yields_the_last_tenth(fleet)
        fleet.stop()
        fleet.sluice("audit")


if __name__ == "__main__":
    main()
