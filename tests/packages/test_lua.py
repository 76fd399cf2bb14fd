# SPDX-License-Identifier: Apache-2.0
"""The rock that LuaRocks makes of the source tree; and Lua 5.5, which Debian has not."""

import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.thorough

USE = """
local cctx = require "cctx"
local ctx = cctx.background():with_metadata("tenant", "acme")
ctx:run(function() print(cctx.metadata "tenant" .. " of " .. cctx._VERSION) end)
for line in io.lines "/proc/self/maps" do print(line:match "/.*libcctx.*" or "") end
"""


@pytest.mark.parametrize("version", ["5.1", "5.3", "5.4"])
def test_rock_brings_the_module_and_the_library_beside_it(version, copy_source, tmp_path, run):
    if not shutil.which("luarocks") or not shutil.which(f"lua{version}"):
        pytest.skip(f"no luarocks, or no lua{version} here")
    copy, tree = copy_source(tmp_path / "the copy"), tmp_path / "a tree"
    rocks = ["luarocks", f"--lua-version={version}", f"--tree={tree}"]
    run(*rocks, "make", cwd=copy, env={"CMAKE_BUILD_PARALLEL_LEVEL": 2})
    modules = tree / f"lib/lua/{version}"
    luas = [f"lua{version}"] + (["luajit"] if version == "5.1" else [])
    for lua in filter(shutil.which, luas):
        said, *mapped = run(lua, "-e", USE, env={"LUA_CPATH": modules / "?.so"}).splitlines()
        assert said.startswith("acme of ")
        assert set(mapped) - {""} == {f"{modules}/libcctx.so.0"}
    run(*rocks, "remove", "cctx", cwd=copy)
    assert not list(tree.rglob("*cctx*"))


@pytest.fixture(scope="module")
def lua55(tmp_path_factory, run):
    """Lua 5.5, of the sources that the distribution lupa carries, which builds none itself:
    (program, headers)."""
    tmp = tmp_path_factory.mktemp("lua55")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=lupa"]
    try:
        run(*pip, "--retries=1", f"--dest={tmp}", "lupa>=2.6", env={"LUPA_NO_BUNDLE": "true"})
    except AssertionError:
        pytest.skip("no network, or pip cannot have the sources of lupa")
    (archive,) = tmp.glob("lupa-*.tar.gz")
    shutil.unpack_archive(archive, tmp)
    (sources,) = tmp.glob("lupa-*/third-party/lua55")
    apart = {"luac.c", "onelua.c", "ltests.c"}
    files = [path for path in sorted(sources.glob("*.c")) if path.name not in apart]
    flags = ["-std=gnu99", "-O1", "-DLUA_USE_POSIX", "-DLUA_USE_DLOPEN"]
    run("cc", *flags, *files, "-o", tmp / "lua5.5", "-Wl,-E", "-lm", "-ldl")
    return tmp / "lua5.5", sources


def test_module_passes_its_tests_with_lua_5_5(lua55, tmp_path, run):
    program, headers = lua55
    options = ["-DCCTX_TESTS=OFF", "-DCCTX_PYTHON=", f"-DCCTX_LUA_INCLUDE={headers}"]
    run("cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", *options)
    run("cmake", "--build", tmp_path, "--target", "lua_cctx")
    env = {"LUA_CPATH": tmp_path / "lua/?.so"}
    directory = ROOT / "tests/lua"
    for file in sorted(directory.rglob("test_*.lua")):
        for gc in [], ["--gc"]:
            run(program, directory / "run.lua", *gc, file, cwd=ROOT, env=env)
