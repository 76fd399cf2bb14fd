# SPDX-License-Identifier: Apache-2.0
"""Three `cctx serve` in namespaces of their own, behind HAProxy: examples/nodes."""

import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples" / "nodes" / "nodes.py"
CANNOT = 77

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif("CCTX_THOROUGH" not in os.environ, reason="./dev check runs it"),
]


def test_a_chain_of_three_machines_is_one_request_and_ends_as_one(build):
    if b"libcurl" + b".so" not in (build / "bin" / "cctx").read_bytes():
        pytest.skip("this build has no libcurl")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "CCTX_BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for shown in (
        "One request",
        "A deadline of 0.5 s",
        "3 nodes away",
        "told to end",
        "contexts alive: 0",
    ):
        assert shown in done.stdout
