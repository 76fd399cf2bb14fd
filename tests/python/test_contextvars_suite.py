# SPDX-License-Identifier: Apache-2.0
"""Python's own tests of contextvars, and of what stands on them, end as they do without
cctx when it is imported and installed.

They are those of the standard library that is installed. CCTX_PYTHONS names interpreters
to try besides the one that runs the tests, separated by colons.
"""

import json
import os
import pathlib
import subprocess
import sys

import cctx
import pytest

PYTHONS = [sys.executable, *filter(None, os.environ.get("CCTX_PYTHONS", "").split(":"))]
PACKAGE = pathlib.Path(cctx.__file__).parent
ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 120  # seconds for a suite on a slow machine

# Not all versions have all of them. test_asyncio.test_context is about decimal's contexts.
SUITES = [
    "test.test_context",
    "test.test_asyncio.test_context",
    "test.test_asyncio.test_eager_task_factory",
    "test.test_asyncio.test_runners",
    "test.test_asyncio.test_taskgroups",
    "test.test_asyncio.test_threads",
    "test.test_asyncio.test_timeouts",
]

RUNNER = """
import json, sys, unittest

if sys.argv[1] == "with":
    import cctx
    cctx.install()

class Result(unittest.TestResult):
    def startTestRun(self):
        self.outcomes = {}
    def stopTest(self, test):
        bad = [name for name in ("failures", "errors", "skipped", "expectedFailures")
               if any(test is one for one, _ in getattr(self, name))]
        self.outcomes[test.id()] = bad[0] if bad else "passed"
        super().stopTest(test)

found = {}
for name in sys.argv[2:]:
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
    except AttributeError:
        continue
    result = Result()
    result.startTestRun()
    suite.run(result)
    missing = "_FailedTest" in " ".join(result.outcomes)
    found[name] = {} if missing else result.outcomes
json.dump(found, sys.__stdout__)
"""


def outcomes(python, packages, how):
    """What became of each test of each suite."""
    said = subprocess.run(
        [python, "-c", RUNNER, how, *SUITES],
        env={**os.environ, "PYTHONPATH": str(packages)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


ABOUT = """
import sysconfig
print(sysconfig.get_path("include"), sysconfig.get_config_var("EXT_SUFFIX"))
"""


def ask(python, code):
    return subprocess.run([python, "-c", code], capture_output=True, text=True)


def build_package(python, build, directory):
    """The package for another interpreter, beside the library of this build tree."""
    package = directory / "cctx"
    package.mkdir()
    told = ask(python, ABOUT).stdout
    include, suffix = told.split()
    sources = sorted((ROOT / "bindings" / "python").glob("*.c"))
    headers = [ROOT / "core" / "include", ROOT / "bindings" / "python" / "include", include]
    subprocess.run(
        ["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-fPIC", "-shared", *sources]
        + [f"-I{header}" for header in headers]
        + [f"-L{build}", "-lcctx", f"-Wl,-rpath,{build}"]
        + ["-o", package / f"_cctx{suffix}"],
        check=True,
    )
    for file in (ROOT / "bindings" / "python" / "cctx").iterdir():
        (package / file.name).symlink_to(file)
    return directory


@pytest.fixture(scope="module")
def packages(build, unsanitized, tmp_path_factory):
    """The directory to import cctx from in an interpreter."""
    built = {sys.executable: PACKAGE.parent}

    def get(python):
        if python not in built:
            built[python] = build_package(python, build, tmp_path_factory.mktemp("package"))
        return built[python]

    return get


@pytest.mark.parametrize("python", PYTHONS)
def test_each_test_of_contextvars_ends_as_without_cctx(python, packages):
    if ask(python, "import test.test_context").returncode != 0:
        pytest.skip(f"{python} comes without its own tests, the package `test`")
    path = packages(python)
    without = outcomes(python, path, "without")
    assert outcomes(python, path, "with") == without
    assert len(without["test.test_context"]) > 20
    assert "passed" in without["test.test_asyncio.test_context"].values()
