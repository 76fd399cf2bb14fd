# SPDX-License-Identifier: Apache-2.0
"""What each Python test gets, and what each must leave as it was."""

import gc
import os
import pathlib
import subprocess
import sys
import textwrap

import cctx
import pytest
from cctx import testing

# Not resolved: in a build tree the package's files are links to the sources.
PACKAGES = pathlib.Path(cctx.__file__).parents[1]
FAILED = pytest.StashKey[bool]()


class Clock:
    """The process's clock, stopped; numbers of which a double holds every quarter."""

    def __init__(self):
        self.set(1000.0)

    def set(self, now):
        self.now = now
        testing.clock_set(now)

    def advance(self, seconds):
        self.set(self.now + seconds)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.stash[FAILED] = report.failed


def forget_last_failure():
    """A failed test's frames, kept for a debugger, hold its contexts."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


@pytest.fixture(autouse=True)
def everything_given_back(request):
    forget_last_failure()
    gc.collect()
    before = cctx.alive()
    yield
    testing.clock_set(None)
    if request.node.stash.get(FAILED, False):
        return
    assert cctx.current() == cctx.background()
    gc.collect()
    assert cctx.alive() == before


@pytest.fixture
def root():
    return cctx.background()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def script(tmp_path):
    """Run a program in a fresh interpreter: what it printed, its errors included."""

    def run(source, status=0, timeout=60):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(source))
        paths = [str(PACKAGES), os.environ.get("PYTHONPATH", "")]
        said = subprocess.run(
            [sys.executable, "-X", "faulthandler", str(path)],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert said.returncode == status, said.stdout
        return said.stdout

    return run
