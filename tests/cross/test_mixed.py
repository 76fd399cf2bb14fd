# SPDX-License-Identifier: Apache-2.0
"""Lua in Python, and Python in Lua, on one thread: all see the same, on the way down and
back."""

import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent

# What each run returns, whoever of the two is inside the other.
RUNS = {
    "alike": "lua, lua lua python python lua lua, lua",
    "three_deep": (
        "0l(0lp[0lpl(0lplp[0lplpl(0lplplp[0lplplp]0lplplp)0lplpl]0lplp)0lpl]0lp)0l nil"
    ),
    "tasks": "aaaaaa bbbbbb cccccc lua lua, lua",
    "coroutines": "aapya bbpyb ccpyc " * 2 + "aapya bbpyb ccpyc",
    "tasks_drive_coroutines": "aaaaaa. bbbbbb. cccccc., lua",
    "errors": "True lua lua true lua true lua True lua lua",
    "stopped": "True lua true lua",
}

# Lupa calls Python without cctx's help, so what is made in such a call does not carry its
# context; and once a loop has run in it, C below Lua cannot tell where Python stands.
RUNS_WITHOUT_HELP = {
    **RUNS,
    "tasks": "aaaaaa bbbbbb cccccc nil nil, nil",
    "tasks_drive_coroutines": "aaaaaa. bbbbbb. cccccc., nil",
}

PYTHON_IN_LUA = """
local python = require "python"
local bridge = require "bridge"
local runs = dofile(arg[1])(function(name, f) return bridge.python("mixed", name, f) end)
print(runs[arg[2]]())
"""

# Lupa brings a Lua of its own, and Python hides it: Lua's C modules must see its functions.
LUA_IN_PYTHON = """
import ctypes, os, sys
import lupa.lua54 as lua54
ctypes.CDLL(lua54.__file__, os.RTLD_GLOBAL | os.RTLD_NOLOAD)
import boundary, cctx, mixed
lua = lua54.LuaRuntime(unpack_returned_tuples=True)
lua.globals().package.cpath = os.environ["LUA_CPATH"]
calls = {
    "as it is": lambda name, f: getattr(mixed, name)(f),
    "helped": lambda name, f: boundary.call(getattr(mixed, name), f),
}
runs = lua.globals().dofile(sys.argv[1])
print(runs(calls[sys.argv[3]])[sys.argv[2]]())
assert cctx.current() == cctx.background()
"""


@pytest.mark.parametrize("name", RUNS)
def test_python_inside_lua(name, run, tmp_path, build):
    script = tmp_path / "main.lua"
    script.write_text(PYTHON_IN_LUA)
    path = f"{build}/python:{HERE}"
    said = run("lua5.4", script, HERE / "mixed.lua", name, PYTHONPATH=path)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == RUNS[name] + "\n"


@pytest.fixture
def lupa():
    if importlib.util.find_spec("lupa") is None:
        pytest.skip("lupa is not installed: pip install lupa")


def run_in_lupa(name, how, run, tmp_path, build):
    script = tmp_path / "main.py"
    script.write_text(LUA_IN_PYTHON)
    path = f"{build}/python:{HERE}"
    command = [sys.executable, script, HERE / "mixed.lua", name, how]
    said = run(*command, PYTHONPATH=path)
    assert (said.returncode, said.stderr) == (0, "")
    return said.stdout.rstrip("\n")


@pytest.mark.parametrize("name", RUNS)
def test_lua_inside_python(name, run, lupa, tmp_path, build):
    assert run_in_lupa(name, "helped", run, tmp_path, build) == RUNS[name]


@pytest.mark.parametrize("name", RUNS_WITHOUT_HELP)
def test_lua_inside_python_that_calls_it_without_help(name, run, lupa, tmp_path, build):
    said = run_in_lupa(name, "as it is", run, tmp_path, build)
    assert said == RUNS_WITHOUT_HELP[name]
