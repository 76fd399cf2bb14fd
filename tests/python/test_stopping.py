# SPDX-License-Identifier: Apache-2.0
"""Scopes in an async with statement: how a context that is done stops an asyncio task."""

import asyncio
import sys
import threading

import cctx
import pytest

COUNTS = sys.version_info >= (3, 11)  # a task counts who asked it to stop


async def turns(count=6):
    for _ in range(count):
        await asyncio.sleep(0)


async def for_ever():
    await asyncio.get_running_loop().create_future()


def cancelling(task):
    return task.cancelling() if COUNTS else 0


async def stopped(task):
    """The exception that ended a task."""
    await asyncio.wait([task])
    if task.cancelled():
        return asyncio.CancelledError
    return type(task.exception()) if task.exception() else task.result()


def test_deadline_stops_the_block_at_its_await(clock):
    async def work():
        async with cctx.timeout(1, "too slow") as ctx:
            assert cctx.current() == ctx
            await for_ever()

    async def main():
        task = asyncio.create_task(work())
        await turns()
        assert not task.done()
        clock.advance(1)
        with pytest.raises(cctx.DeadlineExceeded, match="too slow") as caught:
            await task
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert caught.value.cause.status == "deadline_exceeded"
        assert cancelling(task) == 0
        # Traceback and exception hold each other, and the frames.
        del caught

    asyncio.run(main())


def test_task_goes_on_after_the_block_that_was_stopped(clock):
    async def work():
        try:
            async with cctx.timeout(1):
                await for_ever()
        except cctx.DeadlineExceeded:
            await turns()
            return cctx.current(), cancelling(asyncio.current_task())

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        return await task

    assert asyncio.run(main()) == (cctx.background(), 0)


SCOPES = {
    "use": lambda ctx: cctx.use(ctx),
    "timeout": lambda ctx: cctx.timeout(None),
    "timeout_at": lambda ctx: cctx.timeout_at(None),
    "cancel_scope": lambda ctx: cctx.cancel_scope(),
    "request": lambda ctx: cctx.request(parent=ctx),
}


@pytest.mark.parametrize("make", SCOPES.values(), ids=SCOPES)
def test_every_scope_stops_its_task_when_the_outer_context_is_canceled(make, root):
    async def work(ctx):
        with cctx.use(ctx):
            async with make(ctx):
                await for_ever()

    async def main():
        ctx = root.with_cancel()
        task = asyncio.create_task(work(ctx))
        await turns()
        ctx.cancel("the client has left")
        with pytest.raises(cctx.Canceled, match="the client has left"):
            await task

    asyncio.run(main())


def test_detached_block_is_not_stopped(root):
    async def work(ctx, gate):
        with cctx.use(ctx):
            async with cctx.detached():
                await gate.wait()
                return "finished"

    async def main():
        ctx, gate = root.with_cancel(), asyncio.Event()
        task = asyncio.create_task(work(ctx, gate))
        await turns()
        ctx.cancel()
        await turns()
        gate.set()
        return await task

    assert asyncio.run(main()) == "finished"


def test_cancel_from_another_thread_stops_the_block(root):
    async def work(ctx):
        async with cctx.use(ctx):
            await for_ever()

    async def main():
        ctx = root.with_cancel()
        task = asyncio.create_task(work(ctx))
        await turns()
        thread = threading.Thread(target=ctx.cancel, args=("from afar",))
        thread.start()
        with pytest.raises(cctx.Canceled, match="from afar"):
            await task
        thread.join()

    asyncio.run(main())


def test_block_that_is_done_at_entry_runs_until_its_first_await(clock):
    seen = []

    async def main():
        with pytest.raises(cctx.DeadlineExceeded):
            async with cctx.timeout(0):
                seen.append("before")
                await asyncio.sleep(0)
                seen.append("after")

    asyncio.run(main())
    assert seen == ["before"]


def test_block_that_is_done_at_entry_and_never_awaits_is_not_stopped(clock):
    async def main():
        async with cctx.timeout(0):
            pass
        await turns()
        return cancelling(asyncio.current_task())

    assert asyncio.run(main()) == 0


def test_block_that_ends_in_the_tick_of_its_deadline_is_not_stopped(clock):
    async def work(gate):
        async with cctx.timeout(1):
            await gate.wait()
        await turns()
        return "finished"

    async def main():
        gate = asyncio.Event()
        task = asyncio.create_task(work(gate))
        await turns()
        gate.set()  # it is to run in the next turn, before the loop looks at its files
        clock.advance(1)
        return await task

    assert asyncio.run(main()) == "finished"


# ---- Whose request it was --------------------------------------------------------------


def test_cancel_by_somebody_else_stays_a_cancel(clock):
    async def work():
        async with cctx.timeout(1):
            await for_ever()

    async def main():
        task = asyncio.create_task(work())
        await turns()
        task.cancel()
        return await stopped(task)

    assert asyncio.run(main()) is asyncio.CancelledError


@pytest.mark.parametrize("outer_first", [True, False])
def test_cancel_that_races_with_the_deadline_is_not_swallowed(clock, outer_first):
    """Whoever waits for the canceled task must find it canceled."""

    async def work():
        async with cctx.timeout(1):
            await for_ever()

    async def main():
        task = asyncio.create_task(work())
        await turns()
        if outer_first:
            task.cancel()
        else:  # told after the scope, as it was registered later
            cctx.background().with_timeout(1).on_done(lambda _: task.cancel())
        clock.advance(1)
        return await stopped(task)

    assert asyncio.run(main()) is asyncio.CancelledError


def test_inner_block_leaves_the_deadline_of_the_outer_to_it(clock):
    seen = []

    async def work():
        try:
            async with cctx.timeout(1, "outer"):
                try:
                    async with cctx.timeout(2, "inner"):
                        await for_ever()
                except cctx.DeadlineExceeded:
                    seen.append("inner")
        except cctx.DeadlineExceeded as error:
            seen.append(error.cause.message)
        return cancelling(asyncio.current_task())

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        return await task

    assert asyncio.run(main()) == 0
    assert seen == ["outer"]


def test_inner_deadline_stops_the_inner_block_alone(clock):
    seen = []

    async def work():
        async with cctx.timeout(2):
            try:
                async with cctx.timeout(1, "inner"):
                    await for_ever()
            except cctx.DeadlineExceeded as error:
                seen.append(error.cause.message)
            await for_ever()

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        await turns()
        assert seen == ["inner"]
        clock.advance(1)
        return await stopped(task)

    assert asyncio.run(main()) is cctx.DeadlineExceeded


def test_two_contexts_that_end_at_once_stop_the_outer_block(root):
    """Neither is the other's parent, and the inner one is told first."""
    seen = []

    async def work(outer, inner):
        try:
            async with cctx.use(outer):
                try:
                    async with cctx.use(inner):
                        await for_ever()
                except cctx.Canceled:
                    seen.append("inner")
        except cctx.Canceled as error:
            seen.append(error.cause.message)
        return cancelling(asyncio.current_task())

    async def main():
        outer, inner = root.with_cancel(), root.with_cancel()
        task = asyncio.create_task(work(outer, inner))
        await turns()
        inner.cancel("inner")
        outer.cancel("outer")
        return await task

    assert asyncio.run(main()) == 0
    assert seen == ["outer"]


def test_body_that_swallows_the_cancel_goes_on(clock):
    """Once, at an await: as asyncio.timeout has it."""

    async def work():
        async with cctx.timeout(1) as ctx:
            try:
                await for_ever()
            except asyncio.CancelledError:
                pass
            await turns()
            assert ctx.err() == "deadline_exceeded"
        await turns()
        return cancelling(asyncio.current_task())

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        return await task

    assert asyncio.run(main()) == 0


def test_exception_of_a_body_that_was_stopped_is_kept(clock):
    async def work():
        async with cctx.timeout(1):
            try:
                await for_ever()
            except asyncio.CancelledError:
                raise KeyError("mine") from None

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        return await stopped(task), cancelling(task)

    assert asyncio.run(main()) == (KeyError, 0)


def test_deadline_reaches_a_block_through_tasks_that_it_awaits(clock):
    """The CancelledError passes child tasks, gather and wait_for on its way."""

    async def work(wait):
        async with cctx.timeout(1):
            await wait()

    async def main():
        ways = [
            lambda: asyncio.create_task(for_ever()),
            lambda: asyncio.gather(for_ever(), for_ever()),
            lambda: asyncio.wait_for(for_ever(), 3600),
            lambda: asyncio.shield(asyncio.sleep(3600)),
        ]
        tasks = [asyncio.create_task(work(way)) for way in ways]
        await turns()
        clock.advance(1)
        ends = [await stopped(task) for task in tasks]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return ends

    assert asyncio.run(main()) == [cctx.DeadlineExceeded] * 4


@pytest.mark.skipif(not COUNTS, reason="no asyncio.TaskGroup before 3.11")
def test_task_group_in_a_block_is_stopped_as_a_whole(clock):
    ended = []

    async def member():
        try:
            await for_ever()
        finally:
            ended.append(cctx.err())

    async def work():
        async with cctx.timeout(1):
            async with asyncio.TaskGroup() as group:
                group.create_task(member())
                group.create_task(member())

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        return await stopped(task), cancelling(task)

    assert asyncio.run(main()) == (cctx.DeadlineExceeded, 0)
    assert ended == ["deadline_exceeded"] * 2


@pytest.mark.skipif(not COUNTS, reason="no asyncio.TaskGroup before 3.11")
def test_block_in_a_task_group_fails_the_group(clock):
    async def member():
        async with cctx.timeout(1):
            await for_ever()

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(member())
            group.create_task(for_ever())

    async def main():
        task = asyncio.create_task(work())
        await turns()
        clock.advance(1)
        await asyncio.wait([task])
        group = task.exception()
        return [type(error) for error in group.exceptions]

    assert asyncio.run(main()) == [cctx.DeadlineExceeded]


@pytest.mark.skipif(not COUNTS, reason="no asyncio.timeout before 3.11")
def test_asyncio_timeout_and_a_block_do_not_take_each_others_cancel(clock):
    async def work():
        async with asyncio.timeout(3600) as theirs:
            async with cctx.timeout(1):
                theirs.reschedule(-1)
                clock.advance(1)
                await for_ever()

    async def main():
        task = asyncio.create_task(work())
        return await stopped(task), cancelling(task)

    assert asyncio.run(main()) == (TimeoutError, 0)
