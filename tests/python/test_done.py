# SPDX-License-Identifier: Apache-2.0
"""Being told on an asyncio loop that a context is done: done() and on_done()."""

import asyncio
import contextvars
import gc
import os
import threading
import weakref

import cctx
import pytest
from cctx import _cctx, _observe

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS = [asyncio.new_event_loop]
if uvloop is not None:
    LOOPS.append(uvloop.new_event_loop)
each_loop = pytest.mark.parametrize("new_loop", LOOPS, ids=lambda f: f.__module__)


def run(main, new_loop=asyncio.new_event_loop):
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


async def turns(count=6):
    for _ in range(count):
        await asyncio.sleep(0)


def open_files():
    return len(os.listdir("/proc/self/fd"))


# ---- await ctx.done() ------------------------------------------------------------------


@each_loop
def test_done_gives_the_status_to_every_waiter(root, new_loop):
    async def main():
        ctx = root.with_cancel()
        waiters = [asyncio.ensure_future(ctx.done()) for _ in range(5)]
        await turns()
        assert not any(waiter.done() for waiter in waiters)
        ctx.cancel()
        return set(await asyncio.gather(*waiters))

    assert run(main(), new_loop) == {"canceled"}


@each_loop
def test_done_follows_the_clock(root, clock, new_loop):
    async def main():
        waiter = asyncio.ensure_future(root.with_timeout(1).done())
        await turns()
        clock.advance(0.75)
        await turns()
        assert not waiter.done()
        clock.advance(0.25)
        return await waiter

    assert run(main(), new_loop) == "deadline_exceeded"


@each_loop
def test_done_hears_of_a_real_deadline(root, new_loop):
    assert run(root.with_timeout(0.01).done(), new_loop) == "deadline_exceeded"


def test_done_of_what_is_done_does_not_wait(root):
    ctx = root.with_timeout(-1)
    with pytest.raises(StopIteration) as told:
        ctx.done().send(None)
    assert told.value.value == "deadline_exceeded"


def test_waiter_that_is_cancelled_leaves_nothing_registered(root):
    async def main():
        ctx = root.with_cancel()
        waiter = asyncio.ensure_future(ctx.done())
        await turns()
        core = _observe._caller_of(asyncio.get_running_loop()).core
        assert core.waiting() == 1
        waiter.cancel()
        await turns()
        assert core.waiting() == 0
        return waiter.cancelled()

    assert run(main())


# ---- ctx.on_done() ---------------------------------------------------------------------


@each_loop
def test_callback_runs_on_its_loop_with_its_context(root, new_loop):
    """S20: once, whoever cancels."""

    async def main():
        ctx, told = root.with_cancel(), asyncio.get_running_loop().create_future()
        ctx.on_done(lambda done: told.set_result((done == ctx, threading.get_ident())))
        threading.Thread(target=ctx.cancel).start()
        return await told

    assert run(main(), new_loop) == (True, threading.get_ident())


@each_loop
def test_callback_has_nothing_current_and_an_empty_context(root, new_loop):
    """Neither has what it starts: not that of who registered first, nor of who canceled."""
    variable = contextvars.ContextVar("variable", default="empty")
    seen = []

    async def child():
        seen.append((cctx.current(), variable.get()))

    async def main():
        told = asyncio.Event()

        def callback(_):
            seen.append((cctx.current(), variable.get()))
            tasks.append(asyncio.ensure_future(child()))
            variable.set("another callback's")
            if len(tasks) == 2:
                told.set()

        tasks, ctx = [], root.with_cancel()
        with cctx.use(root.with_value("k", "of the first")):
            variable.set("of the first")
            ctx.on_done(callback)
            ctx.on_done(callback)
        with cctx.use(root.with_value("k", "of the canceler")):
            ctx.cancel()
            await told.wait()
        await asyncio.gather(*tasks)

    run(main(), new_loop)
    assert seen == [(root, "empty")] * 4


def test_callbacks_come_parents_first_then_as_registered(root):
    async def main():
        outer = root.with_cancel()
        inner, told = outer.with_cancel(), []
        inner.on_done(lambda _: told.append("inner"))
        outer.on_done(lambda _: told.append("outer 1"))
        outer.on_done(lambda _: told.append("outer 2"))
        outer.cancel()
        await turns()
        return told

    assert run(main()) == ["outer 1", "outer 2", "inner"]


def test_loops_of_two_threads_observe_one_context(root):
    ctx, waiting = root.with_cancel(), threading.Barrier(3)
    said = []

    async def main():
        waiter = asyncio.ensure_future(ctx.done())
        await turns()
        waiting.wait()
        said.append((await waiter, threading.get_ident()))

    threads = [threading.Thread(target=run, args=[main()]) for _ in range(2)]
    for thread in threads:
        thread.start()
    waiting.wait()
    ctx.cancel()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted(("canceled", thread.ident) for thread in threads)


def test_callback_runs_never_at_once(root):
    async def main():
        told = []
        root.with_timeout(-1).on_done(lambda _: told.append(1))
        assert told == []
        await turns()
        return told

    assert run(main()) == [1]


def test_off_prevents_and_says_whether_it_did(root):
    """S20: then it is never called."""

    async def main():
        ctx, told = root.with_cancel(), []
        prevented, runs = (ctx.on_done(lambda _: told.append(1)) for _ in range(2))
        assert isinstance(runs, cctx.Observer)
        assert prevented.off() is True
        assert prevented.off() is False
        ctx.cancel()
        await turns()
        assert told == [1]
        return runs.off()

    assert run(main()) is False


def test_callback_prevents_the_next_of_the_same_turn(root):
    async def main():
        ctx, told = root.with_cancel(), []
        ctx.on_done(lambda _: told.append(later.off()))
        later = ctx.on_done(lambda _: told.append("later"))
        ctx.cancel()
        await turns()
        return told

    assert run(main()) == [True]


@each_loop
def test_exception_of_a_callback_goes_to_the_loops_handler(root, new_loop):
    async def main():
        ctx, told, wrong = root.with_cancel(), [], []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: wrong.append(what["exception"]))
        ctx.on_done(lambda _: 1 // 0)
        ctx.on_done(lambda _: told.append(1))
        ctx.cancel()
        await turns()
        return told, [type(error) for error in wrong]

    assert run(main(), new_loop) == ([1], [ZeroDivisionError])


def test_interrupt_in_a_callback_leaves_the_others_for_the_next_turn(root):
    told = []

    def interrupt(_):
        raise KeyboardInterrupt

    async def register(ctx):
        ctx.on_done(interrupt)
        ctx.on_done(lambda _: told.append(1))
        ctx.cancel()
        await turns()

    loop = asyncio.new_event_loop()
    main = loop.create_task(register(root.with_cancel()))
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main)
    loop.run_until_complete(main)
    loop.close()
    assert told == [1]


def test_registering_without_a_running_loop_says_what_to_do(root):
    with pytest.raises(RuntimeError, match="no asyncio loop runs here: name the one"):
        root.with_cancel().on_done(print)


@each_loop
def test_callback_may_be_registered_for_a_loop_of_another_thread(root, new_loop):
    loop, told = new_loop(), []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    ctx = root.with_cancel()

    def callback(_):
        told.append(threading.get_ident())
        loop.stop()

    ctx.on_done(callback, loop=loop)
    ctx.cancel()
    thread.join()
    loop.close()
    assert told == [thread.ident]


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda ctx: ctx.on_done(None), TypeError, "callback must be callable, not NoneType"),
        (lambda ctx: ctx.on_done(turns), TypeError, "must not be a coroutine function"),
        (lambda ctx: ctx.on_done(print, loop=1), TypeError, "loop must be an asyncio loop"),
    ],
)
def test_bad_input_is_refused_by_name(root, call, error, text):
    with pytest.raises(error, match=text):
        call(root)


# ---- What is left behind ---------------------------------------------------------------


@each_loop
def test_closed_loop_leaves_no_registration_and_no_file(root, new_loop):
    ctx, told = root.with_cancel(), []

    async def main():
        ctx.on_done(told.append)
        await turns()

    run(main(), new_loop)
    gc.collect()
    files, callers = open_files(), len(_observe._callers)
    for _ in range(20):
        run(main(), new_loop)
    gc.collect()
    assert open_files() == files
    assert len(_observe._callers) <= callers
    ctx.cancel()
    assert told == []


def test_registration_with_a_closed_loop_is_refused(root):
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError, match="loop is closed"):
        root.with_cancel().on_done(print, loop=loop)


def test_loop_that_is_dropped_is_collected_with_its_registrations(root):
    """A callback leads to its loop, and its loop to the callback."""

    class Callback:
        def __init__(self, loop):
            self.loop = loop

        def __call__(self, _):
            pass

    loop = asyncio.new_event_loop()
    callback = Callback(loop)
    gone = weakref.ref(callback)

    async def register():
        root.with_cancel().on_done(callback)

    loop.run_until_complete(register())
    loop.close()
    del loop, callback
    gc.collect()
    assert gone() is None


def test_loop_and_what_waits_in_it_are_collected_together(root):
    class Callback:
        pass

    callback = Callback()
    callback.loop = _cctx.Loop()
    _cctx.Observer(callback.loop, root.with_cancel(), callback)
    gone = weakref.ref(callback)
    del callback
    gc.collect()
    assert gone() is None


def test_registration_keeps_its_context_until_it_is_off(root):
    async def main():
        before = cctx.alive()
        observer = root.with_cancel().on_done(print)
        gc.collect()
        kept = cctx.alive() - before
        observer.off()
        return kept, cctx.alive() - before

    assert run(main()) == (1, 0)


def test_loop_keeps_nothing_of_who_registered_first(root):
    async def main():
        before = cctx.alive()
        with cctx.use(root.with_value("k", "of the first")):
            root.with_cancel().on_done(print).off()
        gc.collect()
        return cctx.alive() - before

    assert run(main()) == 0


def test_child_of_a_fork_observes_with_a_loop_of_its_own(script):
    said = script(
        """
        import asyncio, os
        import cctx

        ctx, told = cctx.background().with_cancel(), []
        loop = asyncio.new_event_loop()

        async def register():
            ctx.on_done(lambda _: told.append(os.getpid()))

        async def turns():
            for _ in range(6):
                await asyncio.sleep(0)

        loop.run_until_complete(register())
        child = os.fork()
        if child == 0:
            ctx.cancel()
            word = asyncio.new_event_loop().run_until_complete(ctx.done())
            late = cctx.background().with_timeout(0.01)
            again = asyncio.new_event_loop().run_until_complete(late.done())
            print(word, again, told, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        loop.run_until_complete(turns())
        print(ctx.err(), told)
        ctx.cancel()
        loop.run_until_complete(turns())
        print(told == [os.getpid()])
        """
    )
    assert said == "canceled deadline_exceeded []\nNone []\nTrue\n"


def test_registration_at_the_interpreters_exit_is_harmless(script):
    said = script(
        """
        import asyncio
        import cctx

        ctx = cctx.background().with_value("k", object()).with_cancel()
        loop = asyncio.new_event_loop()

        async def register():
            kept.append(ctx.on_done(print))
            kept.append(asyncio.ensure_future(ctx.done()))
            await asyncio.sleep(0)

        kept = []
        loop.run_until_complete(register())
        kept.pop().cancel()
        loop.run_until_complete(asyncio.sleep(0))
        print("end")
        """
    )
    assert said == "end\n"


def test_registration_inside_a_registration_does_not_block(root):
    """A signal handler or a finalizer may come at any time."""
    from cctx import _observe

    async def register():
        with _observe._lock:
            return root.with_cancel().on_done(print).off()

    assert asyncio.run(register())
