# SPDX-License-Identifier: Apache-2.0
"""The current context under asyncio: each task has its own."""

import asyncio
import contextvars
import gc
import sys

import cctx
import pytest


def derive(number):
    return cctx.background().with_value("n", number).with_cancel()


async def interleave(number, rounds=5):
    """Everything that a task sees while others run in between; all must be its own."""
    seen = set()
    with cctx.use(derive(number)):
        for step in range(rounds):
            await asyncio.sleep(0)
            seen.add(cctx.value("n"))
            with cctx.use(derive(number + 0.5)):
                await asyncio.sleep(0)
                seen.add(cctx.value("n") - 0.5)
            if step % 2:
                await asyncio.sleep(0)
            seen.add(cctx.value("n"))
    return seen == {number} and cctx.current() == cctx.background()


def test_hundred_interleaved_tasks_each_see_their_own():
    """S13: whatever runs in between."""

    async def main():
        return await asyncio.gather(*(interleave(n) for n in range(100)))

    assert asyncio.run(main()) == [True] * 100


def test_task_inherits_from_where_it_was_made():
    """S13: and goes on seeing it when its maker has left."""

    async def ask():
        await asyncio.sleep(0)
        return cctx.value("n")

    async def main():
        tasks = []
        for number in range(10):
            with cctx.use(derive(number)):
                tasks.append(asyncio.create_task(ask()))
        assert cctx.current() == cctx.background()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == list(range(10))


def test_gather_and_wait_for_inherit():
    async def ask():
        await asyncio.sleep(0)
        return cctx.value("n")

    async def main():
        with cctx.use(derive(1)):
            assert await asyncio.gather(ask(), ask()) == [1, 1]
            assert await asyncio.wait_for(ask(), 60) == 1
            assert await asyncio.shield(ask()) == 1

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no asyncio.TaskGroup before 3.11")
def test_task_group_inherits_from_the_place_of_create_task():
    async def ask():
        await asyncio.sleep(0)
        return cctx.value("n")

    async def main():
        async with asyncio.TaskGroup() as group:
            with cctx.use(derive(1)):
                first = group.create_task(ask())
            with cctx.use(derive(2)):
                second = group.create_task(ask())
            third = group.create_task(ask(), context=contextvars.Context())
        assert [task.result() for task in (first, second, third)] == [1, 2, None]

    asyncio.run(main())


def test_child_attaches_without_its_parent_seeing_it():
    async def child():
        cctx.use(derive("child")).__enter__()
        return cctx.value("n")

    async def main():
        with cctx.use(derive("parent")):
            assert await asyncio.create_task(child()) == "child"
            assert cctx.value("n") == "parent"

    asyncio.run(main())


def test_callbacks_run_with_the_context_of_who_scheduled_them():
    async def main():
        loop = asyncio.get_running_loop()
        seen, done = [], loop.create_future()

        def note(name, last=False):
            seen.append((name, cctx.value("n")))
            if last:
                done.set_result(None)

        future = loop.create_future()
        with cctx.use(derive(1)):
            loop.call_soon(note, "call_soon")
            future.add_done_callback(lambda _: note("done callback"))
        with cctx.use(derive(2)):
            future.set_result(None)
            loop.call_soon_threadsafe(note, "threadsafe")
            loop.call_later(0, note, "call_later", True)
        await done
        assert cctx.current() == cctx.background()
        return dict(seen)

    assert asyncio.run(main()) == {
        "call_soon": 1,
        "done callback": 1,
        "threadsafe": 2,
        "call_later": 2,
    }


def test_executor_starts_with_background_and_wrap_carries():
    async def main():
        loop = asyncio.get_running_loop()
        with cctx.use(derive(1)):
            plain = await loop.run_in_executor(None, cctx.current)
            bound = await loop.run_in_executor(None, cctx.wrap(cctx.value), "n")
            again = await loop.run_in_executor(None, cctx.current)
        return plain, bound, again

    root = cctx.background()
    assert asyncio.run(main()) == (root, 1, root)


def test_to_thread_inherits():
    """S13: it copies the Context."""

    async def main():
        with cctx.use(derive(1)):
            return await asyncio.to_thread(cctx.value, "n")

    assert asyncio.run(main()) == 1


def test_canceled_task_leaves_its_scope():
    async def work(started):
        with cctx.use(derive("work")):
            started.set()
            await asyncio.Event().wait()

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cctx.current() == cctx.background()

    asyncio.run(main())


async def numbers(context, wrong):
    """Holds a scope over its yields, as a streaming response does."""
    try:
        with cctx.use(context):
            for number in range(10):
                yield number
    except GeneratorExit:
        raise
    except BaseException as error:
        wrong.append(error)
        raise


def test_async_generator_closed_by_another_task_raises_nothing():
    async def start(generator):
        return await generator.__anext__()

    async def main():
        wrong, stream = [], numbers(derive("stream"), [])
        assert await asyncio.create_task(start(stream)) == 0
        with cctx.use(derive("closer")):
            await stream.aclose()
            assert cctx.value("n") == "closer"
        assert cctx.current() == cctx.background()
        return wrong

    assert asyncio.run(main()) == []


def test_async_generator_resumed_by_another_task_leaves_nothing_behind():
    async def step(generator, name):
        with cctx.use(derive(name)):
            number = await generator.__anext__()
            return number, cctx.value("n")

    async def main():
        stream = numbers(derive("stream"), [])
        first = await asyncio.create_task(step(stream, "first"))
        second = await asyncio.create_task(step(stream, "second"))
        assert cctx.current() == cctx.background()
        await asyncio.create_task(stream.aclose())
        assert cctx.current() == cctx.background()
        return first, second

    # The first task sees what the generator attached inside it; the second its own.
    assert asyncio.run(main()) == ((0, "stream"), (1, "second"))


def test_async_generator_dropped_by_its_task_is_closed_by_the_loop():
    async def consume():
        async for number in numbers(derive("stream"), []):
            if number == 2:
                break

    async def main():
        before = cctx.alive()
        await asyncio.create_task(consume())
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert cctx.current() == cctx.background()
        return before

    before = asyncio.run(main())
    gc.collect()
    assert cctx.alive() == before


def test_streams_closed_elsewhere_keep_no_context_alive():
    async def main():
        before = cctx.alive()
        for _ in range(50):
            stream = numbers(derive("stream"), [])
            await stream.__anext__()
            await asyncio.create_task(stream.aclose())
            assert cctx.current() == cctx.background()
        del stream
        gc.collect()
        return cctx.alive() - before

    assert asyncio.run(main()) <= 2  # the value and the cancelable node of the last


def test_deadline_of_a_task_is_its_own(clock):
    async def work(timeout):
        with cctx.use(cctx.current().with_timeout(timeout)):
            await asyncio.sleep(0)
            return cctx.remaining()

    async def main():
        return await asyncio.gather(*(work(t) for t in (1, 2, 3)))

    assert asyncio.run(main()) == [1.0, 2.0, 3.0]


def test_done_tasks_keep_no_context_alive():
    async def work(number):
        with cctx.use(derive(number)):
            await asyncio.sleep(0)

    async def main():
        before = cctx.alive()
        await asyncio.gather(*(work(n) for n in range(50)))
        gc.collect()
        return cctx.alive() - before

    assert asyncio.run(main()) == 0
