# SPDX-License-Identifier: Apache-2.0
"""Requests that are told apart by the lines that libaudit writes for them."""

import collections
import os
import re
import subprocess
import sys

import cctx
import pytest

TIMEOUT = 30  # seconds for one program
LINE = re.compile(r"tenant=(\S+) trace=(\S+) remaining=(\S+) (.*)")

# Of each request: trace id, tenant, and how long it has, in seconds.
REQUESTS = [("r1", "acme", 1.5), ("r2", "globex", 20.25), ("r3", "initech", 300.0)]


class Requests:
    """The requests of a test."""

    def contexts(self):
        """A new context of each."""
        for trace, tenant, seconds in REQUESTS:
            ctx = cctx.background().with_metadata("tenant", tenant)
            yield ctx.with_value("trace_id", trace).with_timeout(seconds)

    def expected(self, events):
        """What a log must say: by trace id, each request's events, in order."""
        said = collections.defaultdict(list)
        for trace, tenant, seconds in REQUESTS:
            for event in events:
                line = f"tenant={tenant} remaining={seconds * 1000:.0f}ms {event}"
                said[trace].append(line)
        return dict(said)

    def said(self, text):
        """The lines of a log by trace id; those of no request are under "-"."""
        lines = collections.defaultdict(list)
        for line in text.splitlines():
            found = LINE.fullmatch(line)
            assert found, f"not a line of libaudit: {line!r}"
            tenant, trace, remaining, event = found.groups()
            lines[trace].append(f"tenant={tenant} remaining={remaining} {event}")
        return dict(lines)


@pytest.fixture
def requests():
    return Requests()


@pytest.fixture
def run(build, unsanitized):
    """Run a program with all modules of the build tree in reach."""

    def run(*command, **variables):
        env = {
            **os.environ,
            "CCTX_BUILD": str(build),
            "PYTHON": sys.executable,
            "PYTHONPATH": f"{build}/python",
            "LUA_CPATH": f"{build}/lua/?.so;;",
            **variables,
        }
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=TIMEOUT
        )

    return run
