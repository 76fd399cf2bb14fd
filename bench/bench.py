# SPDX-License-Identifier: Apache-2.0
"""Times what Python code calls most, beside what it would call without cctx, by pyperf.

Usage: bench.py [PYPERF OPTIONS]; the names pair up: NAME and "rival NAME".
"""

import asyncio
import contextvars
import time

import cctx
import pyperf

variable = contextvars.ContextVar("rival", default=None)
variable.set({"tenant": "acme"})
context = cctx.background().with_metadata("tenant", "acme").with_cancel()
scope = cctx.use(context)
scope.__enter__()  # for all that follows, as in a handler


def rival_tenant():
    return variable.get()["tenant"]


def nothing():
    pass


def use(loops):
    other = context.with_cancel()
    start = time.perf_counter()
    for _ in range(loops):
        with cctx.use(other):
            pass
    return time.perf_counter() - start


def rival_use(loops):
    other = {"tenant": "acme"}
    start = time.perf_counter()
    for _ in range(loops):
        token = variable.set(other)
        try:
            pass
        finally:
            variable.reset(token)
    return time.perf_counter() - start


def in_loop(coroutine):
    """What times `loops` turns of a coroutine function, inside one event loop."""

    def measure(loops):
        return asyncio.run(coroutine(loops))

    return measure


async def timeout(loops):
    start = time.perf_counter()
    for _ in range(loops):
        async with cctx.timeout(60):
            pass
    return time.perf_counter() - start


async def rival_timeout(loops):
    start = time.perf_counter()
    for _ in range(loops):
        async with asyncio.timeout(60):
            pass
    return time.perf_counter() - start


async def task(loops):
    start = time.perf_counter()
    for _ in range(loops):
        with cctx.use(context):
            await asyncio.ensure_future(asyncio.sleep(0))
    return time.perf_counter() - start


async def rival_task(loops):
    start = time.perf_counter()
    for _ in range(loops):
        token = variable.set({"tenant": "acme"})
        await asyncio.ensure_future(asyncio.sleep(0))
        variable.reset(token)
    return time.perf_counter() - start


def main():
    runner = pyperf.Runner()
    calls = [
        ("current", cctx.current),
        ("rival current", variable.get),
        ("tenant", lambda: cctx.metadata("tenant")),
        ("rival tenant", rival_tenant),
        ("run", lambda: context.run(nothing)),
        ("rival run", lambda: contextvars.copy_context().run(nothing)),
    ]
    for name, call in calls:
        runner.timeit(name, "call()", globals={"call": call})
    runner.bench_time_func("use", use)
    runner.bench_time_func("rival use", rival_use)
    runner.bench_time_func("task", in_loop(task))
    runner.bench_time_func("rival task", in_loop(rival_task))
    runner.bench_time_func("timeout", in_loop(timeout))
    if hasattr(asyncio, "timeout"):  # since 3.11
        runner.bench_time_func("rival timeout", in_loop(rival_timeout))


if __name__ == "__main__":
    main()
