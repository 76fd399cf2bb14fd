# SPDX-License-Identifier: Apache-2.0
"""Hunts for a wrong context, and shows that the hunts find planted faults.

CCTX_HUNT_STEPS: how many steps in all (default: what every run of the tests takes);
CCTX_HUNT_SEED: where they begin. With the same two a hunt does the same.
"""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

from faults import COLLECTS_ANYWHERE, FAULTS  # noqa: E402
from planted import plant  # noqa: E402
from shrink import shrink  # noqa: E402

sys.path.pop(0)

STEPS = int(os.environ.get("CCTX_HUNT_STEPS", 100_000))
SEED = int(os.environ.get("CCTX_HUNT_SEED", 1))
SHARES = 2  # of a hunt, so that its items are short
TIMEOUT = 60 + STEPS // 500  # seconds


def environment(tree, build, lua=""):
    env = dict(os.environ)
    env["LD_LIBRARY_PATH"] = str(tree)
    env["LUA_CPATH"] = f"{tree}/lua/{lua}/?.so"
    packages = sysconfig.get_path("platlib")  # for the program with Python inside
    env["PYTHONPATH"] = f"{tree}/python:{build}/tests/hunt:{packages}"
    return env


def execute(command, tree, build, given=None, lua=""):
    return subprocess.run(
        [str(word) for word in command],
        env=environment(tree, build, lua),
        input=given,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def sanitized(build):
    file = build / "sanitize.txt"
    return file.exists() and file.read_text().split("\n")[0] != ""


def python_hunt(build, *arguments):
    if sanitized(build):  # greenlet copies stacks, which AddressSanitizer cannot follow
        arguments = [*arguments, "--no-greenlets"]
    return [sys.executable, HERE / "hunt_python.py", *arguments]


def lua_hunt(build, *arguments):
    program = build / "tests" / "hunt" / "hunt_lua"
    if not program.exists():
        pytest.skip("hunt_lua is not built: no Lua here")
    return [program, *arguments]


def mixed_hunt(build, *arguments):
    program = build / "tests" / "hunt" / "hunt_mixed"
    if not program.exists():
        pytest.skip("hunt_mixed is not built: no Lua here, or no libpython")
    return [program, *python_hunt(build, *arguments)[1:]]


def store_hunt(build, *arguments):
    return [build / "tests" / "hunt" / "hunt_store", *arguments]


def shorter(build, told):
    """The shortest schedule of the Lua hunt that still fails, and what happens in it."""

    def play(steps):
        given = " ".join(map(str, steps))
        return execute(lua_hunt(build, "--schedule"), build, build, given)

    schedule = [int(number) for number in re.search(r"schedule:(.*)", told)[1].split()]
    return play(shrink(schedule, lambda steps: play(steps).returncode != 0)).stdout


HUNTS = {"python": python_hunt, "lua": lua_hunt, "mixed": mixed_hunt, "store": store_hunt}


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("hunt", HUNTS)
def test_no_answer_is_wrong(hunt, share, build):
    steps = max(400, STEPS // SHARES // (10 if sanitized(build) else 1))
    command = HUNTS[hunt](build, "--seed", SEED * 1000 + share, "--steps", steps)
    done = execute(command, build, build)
    print(done.stdout.split("schedule:")[0], done.stderr)
    if done.returncode == 1 and hunt == "lua":
        print(shorter(build, done.stdout))
    assert done.returncode == 0, f"{hunt} hunt, seed {SEED * 1000 + share}"


@pytest.mark.parametrize("lua", ["5.1", "jit", "5.2", "5.3", "5.5"])
def test_no_answer_is_wrong_in_another_lua(lua, build):
    program = build / "tests" / "hunt" / f"hunt_lua.{lua}"
    if not program.exists():
        pytest.skip(f"hunt_lua is not built with Lua {lua}: it is not here")
    steps = max(400, STEPS // (10 if sanitized(build) else 1))
    command = [program, "--seed", SEED * 1000, "--steps", steps]
    done = execute(command, build, build, lua=lua)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_answer_is_wrong_in_what_hypothesis_thinks_of(build):
    if importlib.util.find_spec("hypothesis") is None:
        pytest.skip("hypothesis is not installed: pip install hypothesis")
    command = python_hunt(build, "--examples", 40 if sanitized(build) else STEPS // 250)
    command[1] = HERE / "hunt_property.py"
    done = execute(command, build, build)
    assert done.returncode == 0, done.stdout + done.stderr


def is_there(need):
    if need == COLLECTS_ANYWHERE:
        return (3, 10) <= sys.version_info < (3, 12)
    return need is None or importlib.util.find_spec(need) is not None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault, build, tmp_path, unsanitized):
    if not is_there(fault.needs):
        pytest.skip(f"needs {fault.needs}")
    plant(fault, build, tmp_path)
    for share in range(SHARES):
        arguments = ["--seed", 1000 + share, "--steps", 100_000 // SHARES]
        if fault.hunt in ("python", "mixed"):
            arguments.append("--no-shrink")
        done = execute(HUNTS[fault.hunt](build, *arguments), tmp_path, build)
        if done.returncode != 0:
            break
    assert done.returncode == 1 and "WRONG CONTEXT" in done.stdout, (
        f"not found: {fault.sentence}\n{done.stdout}{done.stderr}"
    )
