# SPDX-License-Identifier: Apache-2.0
"""Lack of memory: each allocation of each operation fails once, and nothing is lost."""

import contextvars
import gc
import sys

import cctest
import cctx
import pytest
from cctx import _cctx


# No closure is made in an operation: CPython itself loses a reference where that fails.
class Thing:
    pass


thing, text = Thing(), "t" * 50


def use(ctx):
    with cctx.use(ctx):
        pass


def use_and_ask(ctx):
    with cctx.use(ctx) as inside:
        assert cctx.current() is inside
        assert cctest.released()[0] is inside


def ask_in_two(ctx):
    with cctx.use(ctx.with_value("k", thing)), cctx.use(ctx.with_cancel()):
        return cctx.value("k"), cctx.metadata_pairs(), cctx.cause()


def use_out_of_order(ctx):
    a, b = cctx.use(ctx), cctx.use(ctx.with_cancel())
    a.__enter__()
    try:
        b.__enter__()
    finally:
        a.__exit__(None, None, None)
        b.__exit__(None, None, None)


def use_elsewhere(ctx):
    use = cctx.use(ctx)
    elsewhere = contextvars.Context()
    use.__enter__()
    try:
        elsewhere.run(use.__exit__, None, None, None)
    finally:
        use.__exit__(None, None, None)


def many(ctx):
    made = []
    for _ in range(300):
        made.append(ctx.with_cancel())


def cycle(ctx):
    loop = Thing()
    loop.ctx = ctx.with_value("k", loop)


def check(ctx):
    try:
        ctx.with_timeout(-1, "late").check()
    except cctx.DeadlineExceeded:
        pass


OPERATIONS = {
    "current": lambda ctx: (cctx.current(), cctx.background(), cctx.todo()),
    "with_value": lambda ctx: ctx.with_value("k", text),
    "with_value, object": lambda ctx: ctx.with_value("k", Thing()),
    "with_values": lambda ctx: ctx.with_values({"k": thing, "j": text, "i": [], "h": 1}),
    "value": lambda ctx: ctx.with_value("k", thing).value("k"),
    "with_metadata": lambda ctx: ctx.with_metadata({"a": text, "b": "c"}).metadata("a"),
    "metadata_pairs": lambda ctx: ctx.with_metadata("a", "b").metadata_pairs(),
    "with_cancel": lambda ctx: ctx.with_cancel().cancel("enough"),
    "with_deadline": lambda ctx: ctx.with_deadline(5, "late").deadline(),
    "with_timeout": lambda ctx: ctx.with_timeout(5, "late").remaining(),
    "with_grace": lambda ctx: ctx.with_grace(1),
    "merge": lambda ctx: ctx.merge(ctx.with_cancel(), ctx.with_cancel()),
    "detached": lambda ctx: ctx.with_values({"k": thing, "j": []}).detached(True),
    "cause": lambda ctx: ctx.with_timeout(-1).cause(),
    "check": check,
    "repr": lambda ctx: (repr(ctx), hash(ctx), ctx == ctx, ctx.err()),
    "many": many,
    "cycle": cycle,
    "use": use,
    "use and ask": use_and_ask,
    "ask in two": ask_in_two,
    "use, left out of order": use_out_of_order,
    "use, left elsewhere": use_elsewhere,
    "run": lambda ctx: ctx.run(cctx.value, "k", default=1),
    "run, handed over": lambda ctx: _cctx._run_handed_over(ctx, cctx.current, (), {}),
    "copy": lambda ctx: contextvars.copy_context().run(use_and_ask, ctx),
    "allowed": lambda ctx: ctx.run(cctest.allowed),
}


@pytest.fixture
def failing():
    cctest.fail_begin()
    yield
    cctest.fail_end()


def fail_each(operation, ctx):
    """Fail the first allocation, the second, and so on, until none is left to fail."""
    for n in range(1, 5000):
        result, failed = cctest.fail_nth(n, lambda: operation(ctx))
        assert cctx.current() is cctx.background()
        del result
        if not failed:
            return n
    raise AssertionError("there is no end to it")


def measure():
    with cctx.use(cctx.background()):
        pass  # what could not be left is kept until something is attached there
    gc.collect()
    return cctx.alive(), sys.getallocatedblocks()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_each_allocation_fails_once(root, failing, operation):
    ctx = root.with_cancel()
    operation(ctx)  # makes what is made once, such as the names of keys
    fail_each(operation, ctx)
    alive, blocks = measure()
    count = fail_each(operation, ctx)
    now_alive, now_blocks = measure()
    assert now_alive == alive == 1
    assert now_blocks - blocks < 20 + count / 4  # the interpreter keeps some for later
