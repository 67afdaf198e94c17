"""Alerts: a budget that runs low is told once, by one signed webhook, however many look; spending
that is not what it was is told, and what is usual or small is not."""
import json
import subprocess
import sys
import uuid

from fleet import Fleet, claim, same, say, sure, wait_for
from sink import Sink, is_signed

NOW = "timestamptz '2026-06-15 12:30:00+00'"


def spend(fleet, unit, hour, usd, calls=10, feature="inbox"):
    """A row of the hourly sums; `hour` as an offset from the hour that NOW is in."""
    fleet.sql("INSERT INTO rollups (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, "
              "kind, purpose, calls, unpriced, amount, input, cache_read, cache_write, output) "
              f"SELECT date_trunc('hour', {NOW}) + h * interval '1 hour', '{unit}', '{feature}', '', '', '', 'p', 'm', 't', "
              f"'normal', 'charge', 'accepted', {calls}, 0, {usd} * 1e12, 1, 0, 0, 1 FROM {hour} AS h")


def call(fleet, unit, ago, usd, feature="inbox"):
    """A charge in the ledger."""
    fleet.sql("INSERT INTO ledger (month, attempt_id, kind, job_id, run, hop, sent_at, amount, free_plan, lane, business_unit, "
              "feature, environment, usage_tier, user_name, task, prompt_name, prompt_version, provider, model, credential, tier, "
              f"mode, purpose) SELECT date_trunc('month', {NOW} - interval '{ago}')::date, '{uuid.uuid4()}', 'charge', "
              f"'{uuid.uuid4()}', 0, 0, {NOW} - interval '{ago}', {usd} * 1e12, false, 'normal', '{unit}', '{feature}', '', '', "
              "'', '', '', '', 'p', 'm', 'c', 't', 'sync', 'accepted'")


def raised(fleet, kind):
    return sorted(row[0] for row in fleet.sql(f"SELECT subject FROM alerts WHERE kind = '{kind}'"))


def once_per_key(fleet):
    claim("an alert is raised once for its key, and again for another")
    same(fleet.value("SELECT alert('breaker', 'openai/main', '1', '{\"why\": \"401\"}')"), "t", "the first")
    same(fleet.value("SELECT alert('breaker', 'openai/main', '1', '{}')"), "f", "the same again")
    same(fleet.value("SELECT alert('breaker', 'openai/main', '2', '{}')"), "t", "another opening")
    sure("why=401" in fleet.sluice("alerts", "list", "--kind", "breaker"), "the list shows it")


def anomalies_in_postgres(fleet):
    past = "generate_series(-168, -1)"
    fleet.sql("CREATE TABLE ledger_of_the_test PARTITION OF ledger FOR VALUES FROM ('2026-06-01') TO ('2026-07-01')")
    claim("an hour above twice the mean of seven days is told, once; usual, small and new ones are not")
    for unit, before, this_hour in (("doubled", 2, 4.5), ("usual", 2, 3.5), ("small", 0.01, 0.9)):
        spend(fleet, unit, past, before)
        spend(fleet, unit, "generate_series(0, 0)", this_hour)
    spend(fleet, "new", "generate_series(-3, 0)", 50)
    look = f"SELECT hour_anomalies({NOW}, 2, 1)"
    same(fleet.value(look), "1", "alerts of the first look")
    same(fleet.value(look), "0", "alerts of the second")
    same(raised(fleet, "hour"), ["doubled"], "units")
    same(fleet.value(f"SELECT hour_anomalies({NOW}, 0, 1)"), "0", "alerts with a factor of 0")

    claim("ten minutes above five times their mean are told; slower spending is not")
    for unit in ("burst", "steady"):
        spend(fleet, unit, past, 2)
        spend(fleet, unit, "generate_series(0, 0)", 3)
    call(fleet, "burst", "5 minutes", 2.9)
    call(fleet, "steady", "5 minutes", 0.4)
    call(fleet, "steady", "25 minutes", 2.6)
    look = f"SELECT burst_anomalies({NOW}, 5, 1)"
    same((fleet.value(look), fleet.value(look)), ("1", "0"), "alerts")
    same(raised(fleet, "burst"), ["burst"], "units")

    claim("a call dearer than the price is told, once an hour and feature")
    for usd in (0.49, 0.51, 0.77):
        call(fleet, "dear", "40 minutes", usd, "essays")
    call(fleet, "cheap", "40 minutes", 0.5)
    fleet.sql("DELETE FROM ledger WHERE business_unit IN ('burst', 'steady')")
    look = f"SELECT request_anomalies({NOW}, 0.5)"
    same((fleet.value(look), fleet.value(look)), ("1", "0"), "alerts")
    same(fleet.sql("SELECT subject, detail ->> 'usd' FROM alerts WHERE kind = 'request'"), [("dear/essays", "0.770000")], "alert")

    claim("a feature with ten times its share of the calls in spending is told; with few calls there are no shares")
    fleet.sql("DELETE FROM rollups")
    spend(fleet, "shop", "generate_series(-5, 0)", 0.1, 200, "search")
    spend(fleet, "shop", "generate_series(-5, 0)", 2, 5, "essays")
    spend(fleet, "shop", "generate_series(-5, 0)", 0.6, 50, "mail")
    same(fleet.value(f"SELECT share_anomalies({NOW}, 10, 1, 100000)"), "0", "alerts for too few calls")
    look = f"SELECT share_anomalies({NOW}, 10, 1, 100)"
    same((fleet.value(look), fleet.value(look)), ("1", "0"), "alerts")
    same(raised(fleet, "share"), ["shop/essays"], "features")


def roles_may_what_they_need(fleet):
    claim("the workers' role may do all of it; analysts see alerts, and nothing that was posted")
    for statement in ("SELECT alert('breaker', 'x', 'y', '{}')", "SELECT count(*) FROM webhook_take(8, '{}')",
                      "SELECT webhook_record('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')", "SELECT post_alerts('http://x')",
                      "SELECT anomaly_round(2, 5, 0.5, 10, 1, 100)", "SELECT webhook_forget(30)",
                      f"SELECT webhook_resend('{uuid.uuid4()}')"):
        fleet.sql(f"BEGIN; SET LOCAL ROLE sluice_worker; {statement}; ROLLBACK")
    fleet.sql("SET ROLE sluice_analyst; SELECT kind, subject, detail FROM alerts")
    for table in ("webhook_log", "webhook_tries", "outbox"):
        same(fleet.value(f"SELECT has_table_privilege('sluice_analyst', '{table}', 'SELECT')"), "f", f"analysts on {table}")


def quiet_is_quiet(fleet):
    claim("a quiet system raises nothing, and only one look in half a minute is made")
    fleet.sql("DELETE FROM rollups; DELETE FROM ledger")
    before = fleet.number("SELECT count(*) FROM alerts")
    same(fleet.value("SELECT anomaly_round(2, 5, 0.5, 10, 1, 100)"), "0", "alerts")
    same(fleet.number("SELECT count(*) FROM alerts"), before, "alerts in all")
    same(fleet.value("SELECT at > now() - interval '20 s' FROM anomaly_rounds"), "t", "a look was made")


def everybody_sweeps(fleet):
    """Many sessions at once, besides the workers."""
    sessions = [subprocess.Popen(["psql", "-X", "-q", fleet.postgres, "-c", "SET search_path = sluice", "-c",
                                  f"SELECT raise_alerts(), post_alerts('{fleet.alerts}')"],
                                 stdout=subprocess.DEVNULL) for _ in range(12)]
    for session in sessions:
        same(session.wait(60), 0, "exit code of a session")


def budget_is_told_once(fleet, sink):
    claim("a budget that crosses 80 % posts one signed webhook, however many workers sweep; the next period arms it again")
    fleet.sluice("budgets", "set", "--match", "business_unit=frugal", "--per", "day", "--requests", "10")
    fleet.sql("UPDATE alerts SET posted_at = now() WHERE posted_at IS NULL")
    sink.came.clear()
    fleet.start("one", "two", "three")
    fleet.produce([fleet.job(business_unit="frugal") for _ in range(8)])
    fleet.wait_for_ends(8, 60)
    everybody_sweeps(fleet)
    wait_for(30, "an alert is posted", lambda: sink.posts("/alerts"))
    everybody_sweeps(fleet)
    wait_for(30, "nothing is owed", lambda: fleet.number("SELECT count(*) FROM outbox") == 0)
    (post,) = sink.posts("/alerts")
    body = json.loads(post.body)
    say(body)
    same((body["kind"], body["threshold"], body["unit"], body["limit"], body["match"]),
         ("budget", 80, "requests", 10, {"business_unit": "frugal"}), "what it says")
    secret = fleet.sluice("webhooks", "secret", "--alerts").strip()
    sure(is_signed(post, secret), "it is signed")

    fleet.produce([fleet.job(business_unit="frugal") for _ in range(2)])
    wait_for(60, "the other threshold is posted", lambda: len(sink.posts("/alerts")) == 2)
    same(sorted(json.loads(post.body)["threshold"] for post in sink.posts("/alerts")), [80, 100], "thresholds")
    fleet.sql("UPDATE alerts SET period_start = period_start - interval '1 day' WHERE kind = 'budget'")
    wait_for(60, "in another period both are told again", lambda: len(sink.posts("/alerts")) == 4)
    same(fleet.number("SELECT count(*) FROM alerts WHERE kind = 'budget'"), 4, "alerts")
    say(fleet.sluice("alerts", "list"))
    fleet.stop()


def main():
    with Sink() as sink:
        config = {"api": {"webhook_secrets": ["a master secret"]}, "alerts": {"webhook": sink.url("/alerts")}}
        with Fleet("test_alerts", simulator=["--latency", "fixed:20"], config=config) as fleet:
            fleet.alerts = sink.url("/alerts")
            once_per_key(fleet)
            anomalies_in_postgres(fleet)
            roles_may_what_they_need(fleet)
            quiet_is_quiet(fleet)
            budget_is_told_once(fleet, sink)


if __name__ == "__main__":
    sys.exit(main())
