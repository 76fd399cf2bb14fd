# SPDX-License-Identifier: Apache-2.0
"""Several Luas on one machine: each has a module of its own, and is told if it is another's."""

import subprocess

import pytest

USE = "local cctx = require 'cctx' print(cctx.background():with_values{k = 1})"


def load(program, modules):
    env = {"LUA_CPATH": f"{modules}/?.so", "PATH": ""}
    command = [program, "-e", USE]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="session")
def several(luas, unsanitized):
    if len(luas) < 2:
        pytest.skip("there is but one Lua here")
    return luas


def test_the_module_of_another_lua_says_whose_it_is(several):
    for lua in several:
        for other in several:
            if lua.version == other.version:
                continue
            done = load(lua.program, other.modules)
            assert done.returncode == 1, (lua, other, done)
            assert (
                f"this module cctx is for Lua {other.version}, but what loads it is Lua "
                f"{lua.version}: build cctx with -DCCTX_LUA={lua.version}" in done.stderr
            ), (lua, other, done)


def test_lua_5_1_and_luajit_take_each_other_s(several):
    interface = [lua for lua in several if lua.version == "5.1"]
    if len(interface) < 2:
        pytest.skip("Lua 5.1 or LuaJIT is not here")
    for lua in interface:
        for other in interface:
            assert load(lua.program, other.modules).stdout == "cctx.Context: no deadline\n"
