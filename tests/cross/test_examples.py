# SPDX-License-Identifier: Apache-2.0
"""The examples do what they say, each in a process of its own."""

import pathlib
import re
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def examples_of(build):
    return {
        "C": [build / "examples" / "detached"],
        "Lua": ["lua5.4", ROOT / "examples" / "detached.lua"],
        "Python": [sys.executable, ROOT / "examples" / "detached.py"],
        "cctx run, Lua": [build / "bin" / "cctx", "run", ROOT / "examples/detached.lua"],
        "cctx run, Python": [build / "bin" / "cctx", "run", ROOT / "examples/detached.py"],
    }


@pytest.mark.parametrize("how", examples_of(pathlib.Path()))
def test_detached_context_goes_on_where_its_original_has_ended(how, build, run):
    said = run(*examples_of(build)[how])
    assert said.returncode == 0, said.stderr
    assert re.fullmatch(
        r"DETACHED: no deadline, no error, one-key=one-value, two-key=two-value\n"
        r"ORIGINAL: deadline \d+\.\d{3}, deadline_exceeded, "
        r"one-key=one-value, two-key=two-value\n",
        said.stdout,
    )


def test_host_restores_the_context_for_both_languages(build, run):
    said = run(build / "examples" / "host_both")
    assert said.returncode == 0, said.stderr
    assert said.stdout == "Lua: acme\nPython: acme\nC: none\n"


def test_static_host_has_all_inside(build, run, tmp_path):
    (tmp_path / "cctx").mkdir()
    for path in (ROOT / "bindings/python/cctx").glob("*.py"):
        shutil.copy(path, tmp_path / "cctx")
    said = run(
        build / "examples" / "static_host", PYTHONPATH=str(tmp_path), LUA_CPATH="", LUA_PATH=""
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == "Lua: acme\nPython: acme\nC: none\n"


def test_bridge_says_that_no_python_is_running(build, run, tmp_path):
    script = tmp_path / "alone.lua"
    script.write_text("print(pcall(require 'bridge'.python, 'm', 'f', print))")
    said = run(build / "bin" / "cctx", "run", script)
    assert said.stdout == "false\tno Python is running in this process\n", said.stderr


def test_extensions_of_both_languages_see_what_the_command_line_says(build, run, tmp_path):
    for name, code in [
        ("who.lua", "print(require 'whoami'.tenant())"),
        ("who.py", "import whoami; print(whoami.tenant())"),
    ]:
        (tmp_path / name).write_text(code)
        cctx = build / "bin" / "cctx"
        said = run(cctx, "run", "--meta", "tenant=acme", tmp_path / name)
        assert said.stdout == "acme\n", said.stderr


def test_demo_shows_what_it_says_in_plain_text(run):
    said = run("sh", ROOT / "examples" / "demo" / "demo.sh")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "\033" not in said.stdout
    assert "contexts alive: 0" in said.stdout


def test_demo_without_a_build_says_what_is_missing(run, tmp_path):
    said = run("sh", ROOT / "examples/demo/demo.sh", CCTX_BUILD=str(tmp_path))
    assert said.returncode == 1
    assert said.stderr.endswith("is not built; ./dev demo builds it.\n")
