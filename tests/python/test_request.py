# SPDX-License-Identifier: Apache-2.0
"""Requests: what they begin with, and what ends with them."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading

import cctx
import pytest


def test_request_begins_with_what_it_is_given(root, clock):
    with cctx.request(timeout=2, metadata={"tenant": "acme"}) as ctx:
        assert cctx.current() == ctx
        assert cctx.metadata("tenant") == "acme"
        assert cctx.deadline() == 1002.0
        assert cctx.err() is None


def test_request_derives_from_background_unless_told(root):
    """Whatever the server's task happens to have inherited."""
    parent = root.with_value("k", "of the parent").with_cancel()
    with cctx.use(parent):
        with cctx.request():
            assert cctx.value("k") is None
        with cctx.request(parent=cctx.current()):
            assert cctx.value("k") == "of the parent"
            parent.cancel("the server stops")
            assert cctx.err() == "canceled"
            assert cctx.cause().message == "the server stops"


def test_request_is_canceled_by_its_end():
    with cctx.request() as ctx:
        derived = ctx.with_value("k", 1)
    assert ctx.err() == derived.err() == "canceled"
    assert "ended" in ctx.cause().message


def test_deadline_of_a_request_may_have_passed(clock):
    for timeout in (0, -1):
        with cctx.request(timeout=timeout):
            assert cctx.err() == "deadline_exceeded"
    clock.set(0.0)
    with cctx.request(timeout=0):
        assert cctx.err() == "deadline_exceeded"


def test_what_was_inherited_answers_background_after_the_end(root):
    """S18: a task that outlives its request sees nothing of it, nor of the next."""

    async def late(gate):
        before = cctx.value("k"), cctx.current_status()
        await gate.wait()
        return before, cctx.value("k"), cctx.current(), cctx.current_status()

    async def main():
        gate = asyncio.Event()
        with cctx.request() as ctx:
            with cctx.use(ctx.with_value("k", 1)):
                task = asyncio.create_task(late(gate))
                await asyncio.sleep(0)
        with cctx.request():
            gate.set()
            return await task

    assert asyncio.run(main()) == ((1, "attached"), None, root, "ended")


def test_what_was_handed_over_keeps_its_values_after_the_end(root):
    """S19: and err says canceled."""

    def ask():
        return cctx.value("k"), cctx.err(), cctx.current_status()

    with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
        bound = cctx.wrap(ask)
        kept = cctx.current()
    assert bound() == (1, "canceled", "attached")
    assert kept.run(ask) == (1, "canceled", "attached")
    assert ask() == (None, None, "none")


def test_detached_work_goes_on_after_the_end():
    async def background_work(gate):
        await gate.wait()
        return cctx.value("k"), cctx.err()

    async def main():
        gate = asyncio.Event()
        with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
            with cctx.detached():
                task = asyncio.create_task(background_work(gate))
        gate.set()
        return await task

    assert asyncio.run(main()) == (1, None)


def test_request_may_be_ended_on_another_thread(root):
    request = cctx.request()
    ctx = request.__enter__()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(request.__exit__, None, None, None).result()
    assert ctx.err() == "canceled"
    assert cctx.current() == root
    with cctx.use(root):
        pass  # gives back what was left elsewhere


def test_request_inside_a_request_ends_alone(root):
    with cctx.request() as outer:
        with cctx.request(parent=outer) as inner:
            copy = contextvars.copy_context()
        assert (outer.err(), inner.err()) == (None, "canceled")
        assert cctx.current() == outer
        assert copy.run(cctx.current_status) == "ended"
    assert cctx.current() == root


def test_request_that_is_dropped_has_ended(root):
    """Nobody can end it any more."""

    def begin():
        return cctx.request().__enter__()

    ctx = begin()
    gc.collect()
    assert ctx.err() == "canceled"
    assert cctx.current() == root


def test_two_requests_on_a_thread_do_not_see_each_other(root):
    async def serve(number):
        async with cctx.request(metadata={"n": str(number)}):
            await asyncio.sleep(0)
            return cctx.metadata("n")

    async def main():
        return await asyncio.gather(*(serve(n) for n in range(20)))

    assert asyncio.run(main()) == [str(n) for n in range(20)]


def test_status_says_why_the_current_context_is_what_it_is(root):
    assert cctx.current_status() == "none"
    with cctx.use(root.with_cancel()):
        assert cctx.current_status() == "attached"
        said = []
        thread = threading.Thread(target=lambda: said.append(cctx.current_status()))
        thread.start()
        thread.join()
        assert said == ["none"]


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"parent": 1}, TypeError, "parent must be a cctx.Context or None, not int"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None, not str"),
        ({"timeout": float("nan")}, ValueError, "timeout is not a number of seconds"),
        ({"metadata": 1}, TypeError, "metadata must be a mapping, or items .* not int"),
        ({"metadata": {"a b": "c"}}, ValueError, "'a b' cannot be a metadata name"),
        ({"metadata": {"a": 1}}, TypeError, "metadata is a str for a str"),
        ({"timeot": 1}, TypeError, "timeot"),
    ],
)
def test_request_refuses_bad_input_before_its_block(arguments, error, text):
    with pytest.raises(error, match=text):
        cctx.request(**arguments)


def test_request_takes_no_positional_arguments(root):
    with pytest.raises(TypeError):
        cctx.request(root)
