# SPDX-License-Identifier: Apache-2.0
"""Threads, pools and wrapped functions: work that is handed its context over."""

import asyncio
import concurrent.futures
import contextvars
import functools
import gc
import inspect
import threading
import weakref

import cctx
import pytest


def ask():
    return cctx.value("k")


def under(number):
    return cctx.use(cctx.background().with_value("k", number))


def collect(results, function=ask):
    return lambda: results.append(function())


# ---- Thread ----------------------------------------------------------------------------


def test_thread_works_for_the_context_where_it_was_started(root):
    seen = []
    thread = cctx.Thread(target=collect(seen))
    with under(1):
        thread.start()
    thread.join()
    assert seen == [1]
    assert cctx.current() == root


def test_subclass_that_has_a_run_of_its_own_works_for_it_too():
    class Worker(cctx.Thread):
        def run(self):
            self.seen = ask()

    worker = Worker()
    with under(2):
        worker.start()
    worker.join()
    assert worker.seen == 2


def test_run_that_was_set_on_the_thread_is_run_and_put_back():
    seen = []
    thread = cctx.Thread()
    own = thread.run = collect(seen)
    with under(3):
        thread.start()
    thread.join()
    assert seen == [3]
    assert thread.run is own


def test_thread_outlasts_its_request():
    seen, gate = [], threading.Event()

    def work():
        gate.wait()
        seen.append((ask(), cctx.err(), cctx.current_status()))

    with cctx.request() as ctx, cctx.use(ctx.with_value("k", 4)):
        thread = cctx.Thread(target=work)
        thread.start()
    gate.set()
    thread.join()
    assert seen == [(4, "canceled", "attached")]


def test_thread_that_is_over_keeps_nothing_alive():
    class Target:
        def __call__(self):
            pass

    before, target = cctx.alive(), Target()
    gone = weakref.ref(target)
    with under(5):
        thread = cctx.Thread(target=target)
        thread.start()
    thread.join()
    del target
    assert gone() is None  # at once, with no collector
    assert cctx.alive() == before


def test_thread_starts_once_only():
    with under(6):
        thread = cctx.Thread(target=ask)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()
    assert "run" not in vars(thread)


# ---- Executor --------------------------------------------------------------------------


def test_jobs_work_for_whoever_submits_them(root):
    with cctx.Executor(2) as pool:
        with under(1):
            one, many = pool.submit(ask), pool.map(lambda n: (n, ask()), range(3))
        with under(2):
            two = pool.submit(ask)
        assert (one.result(), two.result()) == (1, 2)
        assert list(many) == [(0, 1), (1, 1), (2, 1)]
        assert pool.submit(cctx.current).result() == root


def test_arguments_and_exceptions_pass_through():
    def fail(*args, **kwargs):
        raise KeyError(args, kwargs)

    with cctx.Executor(1) as pool, under(1):
        error = pool.submit(fail, 1, context=2, fn=3, self=4).exception()
    assert error.args == ((1,), {"context": 2, "fn": 3, "self": 4})


def test_workers_inherit_nothing_from_who_was_first(root):
    """Not even other variables."""
    variable = contextvars.ContextVar("variable", default="empty")
    with cctx.Executor(1, initializer=lambda: started.append(cctx.current())) as pool:
        started = []
        variable.set("of the first")
        with under(1):
            pool.submit(ask).result()
        assert pool.submit(variable.get).result() == "empty"
        assert concurrent.futures.ThreadPoolExecutor.submit(pool, ask).result() is None
    assert started == [root]


def test_workers_inherit_nothing_where_threads_copy_their_starters_context(
    root, monkeypatch
):
    """As those of 3.14 may, by an option."""
    start = threading.Thread.start

    def start_in_a_copy(self):
        copy, run = contextvars.copy_context(), self.run
        self.run = lambda: copy.run(run)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_in_a_copy)
    with cctx.Executor(1) as pool:
        with under(1):
            assert pool.submit(ask).result() == 1
        assert pool.submit(cctx.current).result() == root
        assert concurrent.futures.ThreadPoolExecutor.submit(pool, ask).result() is None


def test_job_outlasts_its_request():
    gate = threading.Event()

    def work():
        gate.wait()
        return ask(), cctx.current_status()

    with cctx.Executor(1) as pool:
        with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
            job = pool.submit(work)
        gate.set()
        assert job.result() == (1, "attached")


def test_executor_may_serve_an_asyncio_loop():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(cctx.Executor(1))
        with under(1):
            return await loop.run_in_executor(None, ask)

    assert asyncio.run(main()) == 1


def test_finished_jobs_keep_no_context_alive():
    with cctx.Executor(1) as pool:
        before = cctx.alive()
        for number in range(20):
            with under(number):
                pool.submit(ask).result()
        pool.submit(int).result()
        gc.collect()
        assert cctx.alive() == before


# ---- wrap ------------------------------------------------------------------------------


class Callable:
    def __call__(self):
        return ask()


class AsyncCallable:
    async def __call__(self):
        return ask()


@pytest.mark.parametrize(
    "function", [ask, functools.partial(cctx.value, "k"), Callable(), Callable().__call__]
)
def test_wrap_binds_whatever_can_be_called(root, function):
    bound = cctx.wrap(function, root.with_value("k", 1))
    with under(2):
        assert bound() == 1
    assert bound.__wrapped__ is function


async def ask_later(*args):
    await asyncio.sleep(0)
    return ask()


@pytest.mark.parametrize(
    "function", [ask_later, functools.partial(ask_later, 1), AsyncCallable()]
)
def test_wrap_binds_coroutine_functions_whichever_task_awaits(root, function):
    bound = cctx.wrap(function, root.with_value("k", 1))
    assert inspect.iscoroutinefunction(bound)

    async def main():
        with under(2):
            return await bound(), await asyncio.create_task(bound()), ask()

    assert asyncio.run(main()) == (1, 1, 2)


def test_wrapped_coroutine_outlasts_its_request():
    async def work(gate):
        await gate.wait()
        return ask(), cctx.err(), cctx.current_status()

    async def main():
        gate = asyncio.Event()
        with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
            task = asyncio.create_task(cctx.wrap(work)(gate))
            await asyncio.sleep(0)
        gate.set()
        return await task

    assert asyncio.run(main()) == (1, "canceled", "attached")


def numbers(count):
    """What it yields."""
    for number in range(count):
        sent = yield number, ask()
        assert sent is None or sent == number
    return ask()


def test_wrap_binds_each_step_of_a_generator(root):
    bound = cctx.wrap(numbers, root.with_value("k", "bound"))
    assert inspect.isgeneratorfunction(bound)
    assert bound.__doc__ == numbers.__doc__
    generator, seen = bound(3), []
    for number in range(3):
        with under("consumer's"):
            seen.append(next(generator))
            assert ask() == "consumer's"
        assert cctx.current() == root
    assert seen == [(number, "bound") for number in range(3)]
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert end.value.value == "bound"


def test_wrapped_generator_takes_what_is_sent_and_thrown(root):
    def echo():
        got = yield ask()
        try:
            yield got
        except KeyError:
            yield ask()

    generator = cctx.wrap(echo, root.with_value("k", 1))()
    assert [next(generator), generator.send("sent"), generator.throw(KeyError())] == [
        1,
        "sent",
        1,
    ]
    with pytest.raises(StopIteration):
        next(generator)


def test_wrapped_generator_is_closed_under_its_context(root):
    seen = []

    def generate():
        try:
            yield
        finally:
            seen.append(ask())

    generator = cctx.wrap(generate, root.with_value("k", 1))()
    next(generator)
    generator.close()
    with under(2):
        dropped = cctx.wrap(generate, root.with_value("k", 3))()
        next(dropped)
        del dropped
        gc.collect()
        assert ask() == 2
    assert seen == [1, 3]


def test_scope_inside_a_wrapped_generator_stays_inside_it(root):
    """Over its yields, in it alone: it has a contextvars.Context of its own."""

    def generate():
        with under("inside"):
            yield ask()
            yield ask()
        yield ask()

    generator = cctx.wrap(generate, root.with_value("k", "bound"))()
    seen = []
    for value in generator:
        seen.append(value)
        assert cctx.current() == root
    assert seen == ["inside", "inside", "bound"]


def test_exception_of_a_wrapped_generator_is_its_callers(root):
    def generate():
        yield 1
        raise KeyError("mine")

    generator = cctx.wrap(generate)()
    next(generator)
    with pytest.raises(KeyError, match="mine"):
        next(generator)
    assert cctx.current() == root


async def stream(count):
    try:
        for number in range(count):
            await asyncio.sleep(0)
            yield number, ask()
            await asyncio.sleep(0)
    finally:
        closed.append(ask())


closed = []


def test_wrap_binds_each_step_of_an_async_generator(root):
    bound = cctx.wrap(stream, root.with_value("k", "bound"))
    assert inspect.isasyncgenfunction(bound)

    async def main():
        closed.clear()
        with under("consumer's"):
            seen = [(item, ask()) async for item in bound(3)]
        assert cctx.current() == root
        return seen

    seen = asyncio.run(main())
    assert seen == [((number, "bound"), "consumer's") for number in range(3)]
    assert closed == ["bound"]


def test_wrapped_async_generator_takes_what_is_sent_and_thrown(root):
    async def echo():
        got = yield ask()
        try:
            yield got
        except KeyError:
            await asyncio.sleep(0)
            yield ask()

    async def main():
        steps = cctx.wrap(echo, root.with_value("k", 1))()
        seen = [await steps.__anext__(), await steps.asend("sent")]
        seen.append(await steps.athrow(KeyError()))
        with pytest.raises(StopAsyncIteration):
            await steps.__anext__()
        return seen

    assert asyncio.run(main()) == [1, "sent", 1]


def test_wrapped_async_generator_may_be_closed_by_another_task(root):
    async def main():
        closed.clear()
        steps = cctx.wrap(stream, root.with_value("k", "bound"))(3)
        await steps.__anext__()
        with under("closer's"):
            await asyncio.create_task(steps.aclose())
            assert ask() == "closer's"

    asyncio.run(main())
    assert closed == ["bound"]


def test_deadline_stops_an_await_inside_a_wrapped_async_generator(root, clock):
    async def slow():
        async with cctx.timeout(1):
            clock.advance(1)
            await asyncio.get_running_loop().create_future()
        yield

    async def main():
        with pytest.raises(cctx.DeadlineExceeded):
            await cctx.wrap(slow)().__anext__()

    asyncio.run(main())


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((1,), "function must be callable, not int"),
        ((ask, 1), "context must be a cctx.Context or None, not int"),
    ],
)
def test_wrap_refuses_bad_input(arguments, text):
    with pytest.raises(TypeError, match=text):
        cctx.wrap(*arguments)
