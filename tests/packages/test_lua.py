# SPDX-License-Identifier: Apache-2.0
"""The rock that LuaRocks makes of the source tree."""

import shutil

import pytest

pytestmark = pytest.mark.thorough

USE = """
local cctx = require "cctx"
local ctx = cctx.background():with_metadata("tenant", "acme")
ctx:run(function() print(cctx.metadata "tenant" .. " of " .. cctx._VERSION) end)
for line in io.lines "/proc/self/maps" do print(line:match "/.*libcctx.*" or "") end
"""


def test_rock_brings_the_module_and_the_library_beside_it(copy_source, tmp_path, run):
    if not shutil.which("luarocks"):
        pytest.skip("no luarocks here")
    copy, tree = copy_source(tmp_path / "the copy"), tmp_path / "a tree"
    env = {"CMAKE_BUILD_PARALLEL_LEVEL": 2}
    run("luarocks", "--lua-version=5.4", f"--tree={tree}", "make", cwd=copy, env=env)
    env = {"LUA_CPATH": tree / "lib/lua/5.4/?.so"}
    said, *mapped = run("lua5.4", "-e", USE, env=env).splitlines()
    assert said.startswith("acme of ")
    assert set(mapped) - {""} == {f"{tree}/lib/lua/5.4/libcctx.so.0"}
    run("luarocks", "--lua-version=5.4", f"--tree={tree}", "remove", "cctx", cwd=copy)
    assert not list(tree.rglob("*cctx*"))
