"""The OpenAPI document is the truth about `sluice api`: schemathesis makes up requests from it, good
and bad ones, and holds every answer against it. It comes from the package registry; where that is
away, this test says so and is skipped."""
import os
import subprocess
import sys
import venv

from api import Api, job, make_key
from fleet import Failed, Fleet, claim, same, say, sure

SCHEMATHESIS = "schemathesis==4.32.5"
SKIPPED = 77  # as ctest and automake know it
EXAMPLES = "20"
SECONDS = 420

# Not asked: whether good data is always accepted. A schema can't say which units a key has, nor that
# a tier or a task is one of the configuration's.
LEFT_OUT = "positive_data_acceptance"


def install():
    """The program's path; None: the registry is away."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = os.path.join(home, "sluice-tests", SCHEMATHESIS)
    program = os.path.join(place, "bin", "schemathesis")
    if os.path.exists(program):
        return program
    try:
        venv.create(place, with_pip=True, clear=True)
        done = subprocess.run([os.path.join(place, "bin", "pip"), "install", "--quiet", "--timeout", "10",
                               "--retries", "1", SCHEMATHESIS], check=False, timeout=300,
                              capture_output=True, text=True)
        why = done.stderr[-300:]
    except (subprocess.SubprocessError, OSError) as error:
        why = str(error)
    if not os.path.exists(program):  # without the registry there is nothing to ask with
        print(f"skipped: {SCHEMATHESIS} can't be installed here: {why}")
        return None
    return program


def question(program, fleet, api, key):
    claim("schemathesis finds no server error and no answer that the document does not tell of")
    done = subprocess.run(
        [program, "run", f"http://127.0.0.1:{api.port}/openapi.json", "--header",
         f"Authorization: Bearer {key}", "--checks", "all", "--exclude-checks", LEFT_OUT,
         "--max-examples", EXAMPLES, "--warnings", "off", "--seed", "1", "--request-timeout", "20", "--no-shrink",
         "--continue-on-failure", "--suppress-health-check", "all"],
        env=dict(os.environ, SCHEMATHESIS_HOOKS="schemathesis_hooks",
                 PYTHONPATH=os.path.dirname(os.path.realpath(__file__))),
        cwd=fleet.directory, check=False, timeout=SECONDS, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise Failed(f"schemathesis ended with {done.returncode}\n{said[-12000:]}")
    for line in said.splitlines():
        if "generated" in line or "passed" in line:
            say(line.strip())


def main():
    program = install()
    if not program:
        sys.exit(SKIPPED)
    with Fleet("test_openapi") as fleet:
        fleet.start("one")
        key = make_key(fleet, "search")
        api = Api(fleet).start()
        question(program, fleet, api, key)
        claim("after all of that it serves as before, and has not died in between")
        made = api.ask("POST", "/v1/jobs", job(), key).json["job_id"]
        same(api.ask("GET", f"/v1/jobs/{made}?wait=30", key=key).json["state"], "done", "its end")
        sure(fleet.number("SELECT count(*) FROM jobs") > 1, "schemathesis made jobs as well")
        api.stop()
        fleet.stop()


if __name__ == "__main__":
    main()
