# SPDX-License-Identifier: Apache-2.0
"""Work that outlives its request: a detached context keeps the values and nothing else.

The same program as detached.c: cctx run examples/detached.py
"""

import time

import cctx


def report(who, ctx):
    deadline = ctx.deadline()
    print(
        f"{who}: {'no deadline' if deadline is None else f'deadline {deadline:.3f}'}, "
        f"{ctx.err() or 'no error'}, "
        f"one-key={ctx.value('one-key')}, two-key={ctx.value('two-key')}"
    )


def handle():
    original = cctx.current()
    detached = original.detached()
    time.sleep(0.002)
    report("DETACHED", detached)
    report("ORIGINAL", original)


def with_deadline():
    cctx.current().with_timeout(0.001).run(handle)


def middleware_two():
    cctx.current().with_value("two-key", "two-value").run(with_deadline)


def middleware_one():
    cctx.current().with_value("one-key", "one-value").run(middleware_two)


middleware_one()
