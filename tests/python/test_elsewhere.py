# SPDX-License-Identifier: Apache-2.0
"""Scopes of an async with statement that are left where they were not entered."""

import asyncio
import contextvars
import gc
import sys

import cctx
import pytest


async def turns(count=6):
    for _ in range(count):
        await asyncio.sleep(0)


def cancelling(task):
    return task.cancelling() if sys.version_info >= (3, 11) else 0


def test_block_of_an_async_generator_closed_by_another_task_raises_nothing(clock):
    async def stream():
        async with cctx.timeout(1):
            yield 1
            yield 2

    async def start(generator):
        return await generator.__anext__()

    async def main():
        generator = stream()
        assert await asyncio.create_task(start(generator)) == 1
        await generator.aclose()
        clock.advance(1)
        await turns()
        return cctx.current(), cancelling(asyncio.current_task())

    assert asyncio.run(main()) == (cctx.background(), 0)


def test_block_of_an_async_generator_that_is_collected_raises_nothing(clock):
    wrong = []

    async def stream():
        async with cctx.timeout(1):
            yield 1

    async def start():
        async for _ in stream():
            break

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: wrong.append(what))
        await asyncio.create_task(start())
        gc.collect()
        await turns()
        clock.advance(1)
        await turns()
        return cctx.current()

    assert asyncio.run(main()) == cctx.background()
    assert wrong == []


def test_cancel_of_another_task_in_the_block_stays_its_own(clock):
    """Who resumes an async generator is not who entered the block in it."""

    async def stream(never):
        async with cctx.timeout(1):
            yield 1
            await never

    async def start(generator, gate):
        await generator.__anext__()
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    async def main():
        gate, generator = asyncio.Event(), stream(asyncio.get_running_loop().create_future())
        first = asyncio.create_task(start(generator, gate))
        await turns()
        clock.advance(1)
        await turns()
        second = asyncio.create_task(generator.__anext__())
        await turns()
        second.cancel()
        await asyncio.wait([second])
        gate.set()
        await first
        return second.cancelled()

    assert asyncio.run(main())


def test_block_left_in_another_contextvars_context_raises_nothing(clock):
    async def main():
        scope = cctx.timeout(1)
        enter = contextvars.Context().run(scope.__aenter__)
        await enter
        assert await scope.__aexit__(None, None, None) is False
        return cctx.current()

    assert asyncio.run(main()) == cctx.background()


def test_block_whose_task_is_over_cancels_nobody(clock):
    async def begin(scope):
        await scope.__aenter__()

    async def main():
        scope = cctx.timeout(1)
        await asyncio.create_task(begin(scope))
        clock.advance(1)
        await turns()
        assert await scope.__aexit__(None, None, None) is False
        return cancelling(asyncio.current_task())

    assert asyncio.run(main()) == 0


def test_block_without_a_task_is_refused(root):
    scope = cctx.timeout(1)
    with pytest.raises(RuntimeError, match="needs an asyncio task"):
        scope.__aenter__().send(None)
    assert cctx.current() == root
    with scope:
        assert cctx.current() != root
