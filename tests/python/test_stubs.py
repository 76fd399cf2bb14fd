# SPDX-License-Identifier: Apache-2.0
"""The stubs, as type checkers see them: against a sample, and against the package."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import cctx
import pytest

SAMPLE = pathlib.Path(__file__).with_name("typed_sample.py")
PACKAGES = pathlib.Path(cctx.__file__).parents[1]
WRONG = {
    number
    for number, line in enumerate(SAMPLE.read_text().splitlines(), 1)
    if line.endswith("# wrong")
}

# What is so on purpose: `cause` is None on the class, and set before anybody sees it.
ALLOWED = r"""
cctx\._.*
cctx\.contrib\.(_.*|opentelemetry)
cctx\.Canceled\.cause
cctx\.DeadlineExceeded\.cause
cctx\.Context\.with_metadata
cctx\.(Context\.)?response_(set|receive)
"""


pytestmark = pytest.mark.usefixtures("unsanitized")


CONFIGURATION = """
[mypy]
ignore_missing_imports = True
"""


def needs(module):
    present = importlib.util.find_spec(module) is not None
    return pytest.mark.skipif(not present, reason=f"{module} is not installed")


def run(arguments, directory):
    environment = dict(os.environ, PYTHONPATH=str(PACKAGES), MYPY_CACHE_DIR=str(directory))
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def lines_of_errors(said, pattern):
    return {int(number) for number in re.findall(pattern, said.stdout, re.M)}


@needs("mypy")
def test_mypy_finds_the_errors_of_the_sample_and_no_others(tmp_path):
    said = run(["mypy", "--strict", "--follow-imports=silent", str(SAMPLE)], tmp_path)
    assert lines_of_errors(said, r"typed_sample\.py:(\d+): error") == WRONG, said.stdout


@needs("pyright")
def test_pyright_finds_the_errors_of_the_sample_and_no_others(tmp_path):
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"extraPaths": ["{PACKAGES}"], "typeCheckingMode": "standard"}}'
    )
    said = run(["pyright", "-p", str(tmp_path), str(SAMPLE)], tmp_path)
    if not re.search(r"^\d+ errors?, ", said.stdout, re.M):
        pytest.skip("pyright does not run here: " + said.stdout.strip()[-100:])
    assert lines_of_errors(said, r"typed_sample\.py:(\d+):\d+ - error") == WRONG, said.stdout


@needs("mypy")
def test_stubs_agree_with_the_package(tmp_path):
    (tmp_path / "allowed").write_text(ALLOWED)
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    said = run(
        [
            "mypy.stubtest",
            "cctx",
            "--concise",
            "--ignore-missing-stub",
            "--ignore-unused-allowlist",
            "--allowlist=allowed",
            "--mypy-config-file=mypy.ini",
        ],
        tmp_path,
    )
    assert said.returncode == 0, said.stdout


@needs("mypy")
@needs("opentelemetry")
def test_contrib_is_typed(tmp_path):
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    said = run(["mypy", "--strict", "--config-file=mypy.ini", "-p", "cctx.contrib"], tmp_path)
    assert said.returncode == 0, said.stdout
