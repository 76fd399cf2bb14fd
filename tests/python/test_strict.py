# SPDX-License-Identifier: Apache-2.0
"""testing.strict(): misuse that is otherwise put up with fails a test."""

import asyncio
import contextlib
import inspect
import re
import threading

import cctx
import pytest
from cctx import testing


def here():
    """The line of the caller."""
    return inspect.currentframe().f_back.f_lineno


def test_nothing_is_reported_where_nothing_is_wrong(root, clock):
    """Among what it must not take for misuse: tasks, threads, nested and wrapped scopes."""

    def generate():
        with cctx.use(root.with_cancel()):
            cctx.current()
        yield cctx.current()

    async def work(number):
        async with cctx.timeout(5):
            with cctx.use(cctx.current().with_value("n", number)):
                await asyncio.sleep(0)
                inner = asyncio.ensure_future(asyncio.sleep(0, cctx.value("n")))
                await inner
        return cctx.value("n")

    async def stream():
        with cctx.use(root.with_value("n", 1)):
            assert await asyncio.gather(work(3), work(4)) == [1, 1]
            assert cctx.value("n") == 1
        yield cctx.current()

    async def main():
        await asyncio.gather(*(work(n) for n in range(5)))
        async for _ in stream():
            cctx.current()

    with testing.strict():
        asyncio.run(main())
        for _ in generate():
            assert cctx.current() == root
        with cctx.request(), cctx.cancel_scope(), cctx.detached():
            thread = cctx.Thread(target=cctx.check)
            thread.start()
            thread.join()


def test_scopes_that_cross_are_reported_with_both_places(root):
    with pytest.raises(AssertionError, match="cctx is used wrongly") as caught:
        with testing.strict():
            outer, inner = cctx.use(root.with_cancel()), cctx.use(root.with_cancel())
            outer.__enter__()
            first = here() + 1
            inner.__enter__()
            outer.__exit__(None, None, None)
            inner.__exit__(None, None, None)
            last = here() - 1
    text = str(caught.value)
    assert f"test_strict.py:{first}" in text
    assert f"test_strict.py:{last}" in text


def test_ended_request_as_a_parent_is_reported():
    request = cctx.request()
    ctx = request.__enter__()
    request.__exit__(None, None, None)
    end = here() - 1
    with testing.strict() as strict:
        ctx.with_cancel()
        (report,) = strict.take()
    assert "ended" in report
    assert f"test_strict.py:{end}" in report
    assert f"test_strict.py:{end + 3}" in report


def test_generator_that_yields_in_a_scope_is_reported_with_both_places(root):
    def generate():
        with cctx.use(root.with_value("k", 1)):
            yield cctx.value("k")

    entered = generate.__code__.co_firstlineno + 1
    with testing.strict() as strict:
        generator = generate()
        next(generator)
        assert strict.take() == []
        cctx.value("k")
        asked = here() - 1
        (report,) = strict.take()
        generator.close()
        cctx.current()
        assert strict.take() == []
    assert re.search(rf"generator generate entered at .*test_strict.py:{entered} ", report)
    assert re.search(rf"in force at .*test_strict.py:{asked} while", report)
    assert "leave it before the yield" in report


@pytest.mark.parametrize("scope", [cctx.cancel_scope, cctx.request, cctx.detached])
def test_every_scope_is_noticed_in_a_generator(root, scope):
    def generate():
        with scope():
            yield

    with pytest.raises(AssertionError, match="the generator generate entered"):
        with testing.strict():
            for _ in generate():
                cctx.current()


def test_context_manager_may_yield_in_a_scope():
    """It is what it is for."""

    @contextlib.contextmanager
    def manager():
        with cctx.request(metadata={"tenant": "acme"}):
            yield

    @contextlib.asynccontextmanager
    async def async_manager():
        async with cctx.timeout(None):
            yield

    async def main():
        async with async_manager():
            return cctx.current_status()

    with testing.strict():
        with manager():
            assert cctx.metadata("tenant") == "acme"
        assert asyncio.run(main()) == "attached"


def test_async_generator_that_yields_in_a_scope_is_reported(root):
    async def stream():
        async with cctx.timeout(None):
            yield

    async def main():
        async for _ in stream():
            cctx.err()

    with pytest.raises(AssertionError, match="the generator stream entered"):
        with testing.strict():
            asyncio.run(main())


def test_wrapped_generator_may_yield_in_a_scope(root):
    def generate():
        with cctx.use(root.with_cancel()):
            yield cctx.current()
            yield cctx.current()

    with testing.strict():
        for _ in cctx.wrap(generate)():
            cctx.current()


def test_report_of_another_thread_is_collected(root):
    def work():
        scope = cctx.use(root.with_cancel())
        scope.__enter__()
        inner = cctx.use(root.with_cancel())
        inner.__enter__()
        scope.__exit__(None, None, None)
        inner.__exit__(None, None, None)

    with testing.strict() as strict:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert strict.take()


def test_exception_of_the_block_goes_first(root):
    with pytest.raises(KeyError, match="mine"):
        with testing.strict():
            scope, inner = cctx.use(root.with_cancel()), cctx.use(root.with_cancel())
            scope.__enter__()
            inner.__enter__()
            scope.__exit__(None, None, None)
            inner.__exit__(None, None, None)
            raise KeyError("mine")


def test_nothing_is_reported_after_the_block(root):
    with testing.strict():
        pass
    outer, inner = cctx.use(root.with_cancel()), cctx.use(root.with_cancel())
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    with testing.strict() as strict:
        assert strict.take() == []
    assert strict.take() == []


def test_strict_is_entered_once_at_a_time():
    strict = testing.strict()
    with strict:
        with pytest.raises(RuntimeError, match="entered already"):
            strict.__enter__()
