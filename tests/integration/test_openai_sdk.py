"""The official OpenAI packages for Python and Node, as they come from their registries, against `sluice
api`: only base_url and api_key are ours. Where a registry is away, that one says it is skipped.

    ONLY=python tests/integration/test_openai_sdk.py
"""
import json
import os
import shutil
import subprocess
import sys
import venv

from api import Api, make_key
from fleet import BUILD, SOURCE, Failed, Fleet, claim, same, say, sure, wait_for

SKIPPED = 77  # as ctest and automake know it
PYTHON, NODE = "openai==3.51.0", "openai@7.55.0"
HERE = os.path.dirname(os.path.realpath(__file__))


def place(name):
    """Packages are kept between runs; a build directory is not the source's."""
    path = os.path.join(BUILD, "sdk", name.replace("@", "-").replace("=", "-"))
    os.makedirs(path, exist_ok=True)
    return path


def tried(command, cwd):
    """Why it failed; "": it did not."""
    try:
        done = subprocess.run(command, cwd=cwd, check=False, timeout=300, capture_output=True, text=True)
        return (done.stderr or done.stdout or "no words")[-300:] if done.returncode else ""
    except (subprocess.SubprocessError, OSError) as error:
        return str(error)


def python_command():
    """What runs a script with the package; None: it can't be had here."""
    path = place(PYTHON)
    program, done = os.path.join(path, "bin", "python"), os.path.join(path, "installed")
    if not os.path.exists(done):
        shutil.rmtree(path)
        venv.create(path, with_pip=True)
        why = tried([program, "-m", "pip", "install", "--quiet", "--timeout", "10", "--retries", "1", PYTHON], path)
        if why:
            print(f"skipped: the Python package {PYTHON} can't be installed here: {why}")
            return None
        open(done, "w", encoding="utf-8").close()
    return [program, os.path.join(HERE, "sdk", "batch.py")]


def node_command():
    path = place(NODE)
    done = os.path.join(path, "installed")
    if not shutil.which("npm"):
        print(f"skipped: the Node package {NODE}: there is no npm here")
        return None
    if not os.path.exists(done):
        why = tried(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", path, NODE], path)
        if why:
            print(f"skipped: the Node package {NODE} can't be installed here: {why}")
            return None
        open(done, "w", encoding="utf-8").close()
    # A module is looked for beside the script.
    shutil.copy(os.path.join(HERE, "sdk", "batch.mjs"), path)
    return ["node", os.path.join(path, "batch.mjs")]


def run(name, command, fleet, api, keys):
    claim(f"the {name} package uploads, runs a batch, reads what came of it, lists, cancels, deletes, and hears errors as its own")
    env = dict(os.environ, OPENAI_BASE_URL=f"http://127.0.0.1:{api.port}/v1", OPENAI_API_KEY=keys[0],
               FOREIGN_KEY=keys[1], DIRECTORY=fleet.directory, NO_PROXY="127.0.0.1")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "http_proxy", "HTTP_PROXY"):
        env.pop(name, None)
    done = subprocess.run(command, env=env, cwd=fleet.directory, check=False, timeout=240, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"the {name} script ended with {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-6000:]}")
    for text in done.stdout.splitlines():
        say("   ", text)


def main():
    wanted = {"python": python_command, "node": node_command}
    commands = {name: install() for name, install in wanted.items() if os.environ.get("ONLY", name) == name}
    commands = {name: command for name, command in commands.items() if command}
    if not commands:
        sys.exit(SKIPPED)
    with Fleet("test_openai_sdk") as fleet:
        fleet.start("one")
        api = Api(fleet).start()
        for name, command in commands.items():
            keys = (make_key(fleet, name, rights=("submit", "read")), make_key(fleet, "support"))
            wait_for(5, "the keys are known", lambda: {api.ask("GET", "/v1/files", key=key).status for key in keys} == {200})
            run(name, command, fleet, api, keys)
            same(fleet.sql(f"SELECT DISTINCT feature FROM ledger WHERE business_unit = '{name}'"), [("nightly",)],
                 "what its money is booked under")
        api.stop()
        fleet.stop()
        say(f"packages: {', '.join(commands)}")


if __name__ == "__main__":
    main()
