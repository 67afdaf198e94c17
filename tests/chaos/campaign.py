#!/usr/bin/env python3
"""Runs the trials, a few at a time, each in a process and a world of its own, and writes down what
came of them. Called by scripts/chaos.

Quick runs every trial once, in at most ten minutes or it fails; full runs each as often as its plan says, with
other seeds, and those that want the real Kafka or many minutes. The report is REPORT.md and
report.json in the run's directory, where the worlds of failed trials stay as well.
"""
import argparse
import concurrent.futures
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
LIMIT = {"quick": 420, "full": 1500}  # seconds that one trial may take
GOOD = ("passed", "skipped")  # skipped: the machine lacks what the trial needs, and the report says what
WHOLE = {"quick": 10, "full": 1440}  # minutes that all of them may take


def stop(number, frame):
    """What was begun is to be taken down in good order."""
    raise TimeoutError("the trial's time is over")


def run_one(name, seed, full, answer):
    """In the trial's own process."""
    from evidence import save
    from plans import TRIALS, Run
    began = time.monotonic()
    signal.signal(signal.SIGTERM, stop)
    lacking = TRIALS[name].lacks()
    if lacking:
        save(answer, {"verdict": "skipped", "broken": [], "why": lacking, "seconds": 0})
        return 0
    try:
        report = TRIALS[name].function(Run(TRIALS[name], seed, full))
        broken = sorted({v["name"] for v in report["verdicts"] if v["broken"]})
        report["verdict"] = "broken" if broken else "not fired" if report["missing"] else "passed"
        report["broken"] = broken
    except BaseException as error:  # whatever it was, the campaign goes on and says so
        traceback.print_exc()
        report = {"verdict": "error", "broken": [], "why": f"{type(error).__name__}: {error}"[:600]}
    report["seconds"] = time.monotonic() - began
    save(answer, report)
    return 0 if report["verdict"] == "passed" else 1


def launch(task, wishes, directory, deadline):
    """In the campaign: the trial's process, and what it left behind."""
    from plans import TRIALS
    name, number = task
    seed = f"{wishes.seed}-{number}"
    seconds = TRIALS[name].seconds or LIMIT[wishes.length]
    if wishes.length == "full" and time.monotonic() > deadline:
        return None  # fewer runs prove less, but nothing has failed
    if wishes.length == "quick":
        seconds = min(seconds, deadline - time.monotonic())
    if seconds < 10:
        report = {"verdict": "no time", "broken": [], "seconds": 0, "trial": name, "seed": seed,
                  "home": directory, "why": f"the {wishes.minutes:g} minutes were over"}
        tell(report)
        return report
    home = os.path.join(directory, f"{name}.{number}")
    os.makedirs(home)
    os.chmod(home, 0o755)
    answer = os.path.join(home, "report.json")
    command = [sys.executable, os.path.realpath(__file__), "--trial", name, "--seed", seed,
               "--answer", answer, wishes.length]
    with open(os.path.join(home, "log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, TMPDIR=home))
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends its workers, and its stack ends with it
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    report = {"verdict": "error", "broken": [], "why": f"no answer within {seconds:.0f} s", "seconds": 0}
    if os.path.exists(answer):
        with open(answer, encoding="utf-8") as file:
            report = json.load(file)
    report.update(trial=name, seed=seed, home=home)
    tell(report)
    return report


def tell(report):
    counts = report.get("counts", {})
    fired = ", ".join(f"{name} {count}" for name, count in sorted(report.get("fired", {}).items()))
    print(f"{report['verdict'].upper() if report['verdict'] != 'passed' else 'passed':9} "
          f"{report['trial']:20} seed {report['seed']}  {report['seconds']:5.0f} s  "
          f"{counts.get('jobs', 0)} jobs, {counts.get('through', 0)} through a lost worker; "
          f"fired: {fired or 'nothing'}", flush=True)
    for what in [*report["broken"], *report.get("missing", []), report.get("why", "")]:
        if what:
            print(f"          {what}", flush=True)
    if report["verdict"] not in GOOD:
        print(f"          see {report['home']}/log", flush=True)


# --- the report ---

def difference(report):
    for verdict in report.get("verdicts", []):
        if verdict["name"] == "I3s" and verdict["note"]:
            return int(verdict["note"].split("=")[1].split()[0])
    return None


def rows_of(reports):
    by_trial = {}
    for report in reports:
        by_trial.setdefault(report["trial"], []).append(report)
    for name, runs in by_trial.items():
        fired = {}
        for run in runs:
            for what, count in run.get("fired", {}).items():
                fired[what] = fired.get(what, 0) + count
        yield {
            "trial": name, "runs": len(runs), "passed": sum(r["verdict"] == "passed" for r in runs),
            "fired": fired,
            **{what: sum(r.get("counts", {}).get(what, 0) for r in runs)
               for what in ("jobs", "through", "lost", "doubled", "calls", "unknown")},
            "difference": sum(difference(r) or 0 for r in runs),
        }


def write_report(reports, wishes, directory, seconds):
    from evidence import save
    # What was skipped is listed with its reason, and counts neither as a run nor as a bound.
    rows = list(rows_of([report for report in reports if report["verdict"] != "skipped"]))
    runs, passed = sum(r["runs"] for r in rows), sum(r["passed"] for r in rows)
    lines = [f"# Chaos, {wishes.length}, seed {wishes.seed}", "",
             f"{runs} runs of {len(rows)} trials in {seconds:.0f} s, {passed} passed. "
             f"{sum(r['jobs'] for r in rows)} jobs, {sum(r['lost'] for r in rows)} lost, "
             f"{sum(r['doubled'] for r in rows)} outcomes doubled, ledger - bill "
             f"{sum(r['difference'] for r in rows)} pico-dollars after booking."]
    if runs == passed and runs >= 10:
        lines.append(f"None of {runs} runs failed: with 95 % certainty fewer than "
                     f"{min(100, 300 / runs):.1f} % would.")
    lines += ["", "| trial | runs | passed | faults fired | jobs | through a lost worker | calls | "
              "unknown | lost | doubled | ledger - bill |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        fired = ", ".join(f"{name} {count}" for name, count in sorted(row["fired"].items()))
        lines.append(f"| {row['trial']} | {row['runs']} | {row['passed']} | {fired} | {row['jobs']} | "
                     f"{row['through']} | {row['calls']} | {row['unknown']} | {row['lost']} | "
                     f"{row['doubled']} | {row['difference']} |")
    for report in reports:
        if report["verdict"] != "passed":
            lines.append(f"\n**{report['trial']}**, seed {report['seed']}: {report['verdict']} "
                         f"{' '.join(report['broken'])} {report.get('why', '')} "
                         f"{'; '.join(report.get('missing', []))}")
    with open(os.path.join(directory, "REPORT.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    save(os.path.join(directory, "report.json"),
         {"seed": wishes.seed, "length": wishes.length, "rows": rows, "reports": reports})
    print("\n".join(["", *lines[2:lines.index("", 3)]]), flush=True)
    print(f"report: {directory}/REPORT.md")


def main():
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("length", choices=("quick", "full"))
    parser.add_argument("--seed", default=None, help="of all chance in the driver; default: a new one")
    parser.add_argument("--only", action="append", help="trials whose name begins so; may be repeated")
    parser.add_argument("--exactly", action="store_true", help="--only gives whole names")
    parser.add_argument("--runs", type=int, help="of each trial, instead of the plan's number")
    parser.add_argument("--jobs", type=int, default=5, help="trials at a time (5)")
    parser.add_argument("--minutes", type=float, help="that all may take (quick: 10); of quick, what "
                        "is not done then has failed; of full, no more is begun")
    parser.add_argument("--dir", help="where the report goes (a new one under TMPDIR)")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.trial:
        return run_one(wishes.trial, wishes.seed, wishes.length == "full", wishes.answer)
    from plans import TRIALS
    full = wishes.length == "full"
    plans = [plan for plan in TRIALS.values() if full or not plan.full_only or
             (wishes.only and plan.name in wishes.only)]
    if wishes.only:
        plans = [plan for plan in plans if any(
            plan.name == only if wishes.exactly else plan.name.startswith(only)
            for only in wishes.only)]
    if wishes.list or not plans:
        for plan in plans:
            print(f"{plan.name:22} {(plan.function.__doc__ or '').splitlines()[0:1]}")
        return 0 if wishes.list else 2
    wishes.seed = wishes.seed or secrets.token_hex(4)
    directory = os.path.realpath(wishes.dir or tempfile.mkdtemp(prefix="sluice-chaos."))
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o755)
    tasks = [(plan.name, number) for number in range(max(
        wishes.runs or (plan.repeat if full else 1) for plan in plans)) for plan in plans
             if number < (wishes.runs or (plan.repeat if full else 1))]
    print(f"chaos {wishes.length}: {len(tasks)} runs, seed {wishes.seed}, in {directory}", flush=True)
    began = time.monotonic()
    wishes.minutes = wishes.minutes or WHOLE[wishes.length]
    deadline = began + 60 * wishes.minutes
    with concurrent.futures.ThreadPoolExecutor(wishes.jobs) as pool:
        reports = [report for report in pool.map(
            lambda task: launch(task, wishes, directory, deadline), tasks) if report]
    write_report(reports, wishes, directory, time.monotonic() - began)
    return 0 if all(report["verdict"] in GOOD for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
