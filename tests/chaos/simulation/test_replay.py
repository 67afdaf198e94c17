#!/usr/bin/env python3
"""A failing seed prints a command, and the command replays it: the same steps, the same violation, to
the byte, as often as it is asked, in a process of its own and not only after the seeds before it.

    test_replay.py SIMULATION [BUG ...]      default: every bug that can be seeded
"""
import re
import subprocess
import sys


def run(program, words):
    done = subprocess.run([program, *words], capture_output=True, check=False, text=True, timeout=240)
    return done.returncode, done.stdout


def sure(truth, what):
    if not truth:
        sys.exit(f"FAILED: {what}")


def bugs(program):
    return re.findall(r"^  (\S+) +I", run(program, ["--help"])[1], re.M)


def replay(program, bug):
    code, told = run(program, ["--seeds", "10000", "--mutate", bug])
    sure(code == 1, f"{bug}: no seed of 10,000 fails")
    verdict = re.search(r"^seed (\d+): (\S+) violated after .*$", told, re.M)
    again = re.search(r"^again, step by step: simulation (.*)$", told, re.M)
    sure(verdict and again, f"{bug}: a seed failed, but it is not said how to see it again: {told[-500:]}")
    words = again.group(1).split()
    sure(words[:3] == ["--seed", verdict.group(1), "--trace"], f"{bug}: {words}")
    first, second = run(program, words), run(program, words)
    sure(first == second, f"{bug}, seed {verdict.group(1)}: two traces of one seed differ")
    code, trace = first
    steps = trace.splitlines()
    sure(code == 1 and verdict.group(0) in steps, f"{bug}: the replay does not end with {verdict.group(0)}")
    sure(any(f"VIOLATION {verdict.group(2)}:" in step for step in steps) and len(steps) > 20,
         f"{bug}: the trace of {len(steps)} lines does not show the violation")
    code, told = run(program, ["--seed", verdict.group(1)])
    sure(code == 0, f"{bug}: seed {verdict.group(1)} fails without the bug as well: {told[-500:]}")
    print(f"{bug}: {verdict.group(0)[:100]}: {len(steps)} lines, twice the same")


def main():
    program, *wanted = sys.argv[1:]
    wanted = wanted or bugs(program)
    sure(len(wanted) > 0, "there are no bugs to seed")
    for bug in wanted:
        replay(program, bug)


if __name__ == "__main__":
    main()
