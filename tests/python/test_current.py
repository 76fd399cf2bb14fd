# SPDX-License-Identifier: Apache-2.0
"""The current context: use, run and wrap, over threads, Contexts and generators."""

import asyncio
import concurrent.futures
import contextvars
import gc
import inspect
import threading

import cctx
import pytest


def on_thread(function):
    """Call on a thread of its own: the result, or the exception."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def leave(use):
    return use.__exit__(None, None, None)


def test_where_nothing_is_attached_current_is_background(root):
    """S11: on any thread, in any Context."""
    assert cctx.current() == root
    assert on_thread(cctx.current) == root
    assert contextvars.Context().run(cctx.current) == root


def test_leaving_restores_what_was_there(root):
    """S12: at any depth."""
    outer, inner = root.with_cancel(), root.with_cancel()
    with cctx.use(outer) as entered:
        assert entered is outer
        with cctx.use(inner):
            with cctx.use(root):
                assert cctx.current() == root
            assert cctx.current() == inner
        assert cctx.current() == outer
    assert cctx.current() == root


def test_exception_in_a_scope_is_kept(root):
    """S12: and the scope is left."""
    with pytest.raises(KeyError, match="mine") as caught:
        with cctx.use(root.with_cancel()):
            raise KeyError("mine")
    assert caught.value.__context__ is None
    assert cctx.current() == root


def test_exception_that_is_handled_stays_the_handled_one(root):
    import sys

    try:
        raise KeyError("outer")
    except KeyError as error:
        with cctx.use(root.with_cancel()):
            pass
        root.with_cancel().run(int)
        assert sys.exc_info()[1] is error


def test_flat_readers_ask_the_current_context(root, clock):
    ctx = root.with_timeout(2).with_value("k", "v")
    with cctx.use(ctx):
        assert (cctx.value("k"), cctx.value("no", default=0)) == ("v", 0)
        assert (cctx.deadline(), cctx.remaining()) == (1002.0, 2.0)
        assert (cctx.err(), cctx.cause(), cctx.check()) == (None, None, None)
        assert cctx.can_be_done()
        clock.advance(2)
        assert cctx.err() == "deadline_exceeded"
        assert cctx.cause() == ctx.cause()
        with pytest.raises(cctx.DeadlineExceeded):
            cctx.check()
    assert (cctx.deadline(), cctx.remaining(), cctx.err()) == (None, None, None)


def test_context_is_kept_by_its_scope_alone(root):
    with cctx.use(root.with_value("k", "kept")):
        gc.collect()
        assert cctx.value("k") == "kept"


# ---- Brackets that do not match ----------------------------------------------------


def test_inner_scope_left_after_the_outer_is_counted_and_changes_nothing(root):
    stale = cctx.stale_detaches()
    outer, inner = cctx.use(root.with_cancel()), cctx.use(root.with_cancel())
    outer.__enter__()
    inner.__enter__()
    assert leave(outer) is False
    assert cctx.current() == root
    with cctx.use(root.with_value("k", 1)):
        assert leave(inner) is False
        assert cctx.value("k") == 1
    assert cctx.stale_detaches() == stale + 1


def test_scope_may_be_entered_once_at_a_time(root):
    use = cctx.use(root.with_cancel())
    with use as ctx:
        with pytest.raises(RuntimeError, match="entered already"):
            use.__enter__()
        assert cctx.current() == ctx
    assert cctx.current() == root


def test_leaving_what_was_not_entered_does_nothing(root):
    use = cctx.use(root.with_cancel())
    with cctx.use(root.with_value("k", 1)):
        assert leave(use) is False
        assert cctx.value("k") == 1


def test_scope_left_on_another_thread_is_skipped_everywhere(root):
    outer = root.with_cancel()

    def scenario():
        with cctx.use(outer):
            use = cctx.use(root.with_cancel())
            use.__enter__()
            child = contextvars.copy_context()
            assert on_thread(lambda: leave(use)) is False
            assert cctx.current() == outer
            assert child.run(cctx.current) == outer
        assert cctx.current() == root

    contextvars.copy_context().run(scenario)


def test_scope_left_in_another_context_is_skipped_everywhere(root):
    def scenario():
        use = cctx.use(root.with_cancel())
        use.__enter__()
        elsewhere = contextvars.copy_context()
        assert contextvars.Context().run(leave, use) is False
        assert cctx.current() == root
        assert elsewhere.run(cctx.current) == root
        with cctx.use(root.with_value("k", 1)):
            assert cctx.value("k") == 1
        assert cctx.current() == root

    contextvars.copy_context().run(scenario)


def test_scope_left_in_a_copy_does_not_end_what_the_copy_attached(root):
    def scenario():
        use = cctx.use(root.with_cancel())
        use.__enter__()
        inner = root.with_value("k", "inner")

        def in_copy():
            with cctx.use(inner):
                leave(use)
                assert cctx.current() == inner
            assert cctx.current() == root

        contextvars.copy_context().run(in_copy)
        assert cctx.current() == root

    contextvars.copy_context().run(scenario)


def test_scopes_left_elsewhere_keep_no_context_alive(root):
    def scenario():
        before = cctx.alive()
        for _ in range(50):
            use = cctx.use(root.with_cancel())
            use.__enter__()
            contextvars.copy_context().run(leave, use)
        del use
        assert cctx.current() == root
        return cctx.alive() - before

    assert contextvars.copy_context().run(scenario) <= 1


def test_scope_dropped_while_entered_goes_with_its_context(root):
    def scenario():
        before = cctx.alive()
        cctx.use(root.with_value("k", 1)).__enter__()
        gc.collect()
        assert cctx.value("k") == 1
        return before

    copied = contextvars.copy_context()
    before = copied.run(scenario)
    assert cctx.value("k") is None
    del copied
    assert cctx.alive() == before


def test_unbalanced_scopes_a_hundred_thousand_deep_are_freed(root):
    def scenario():
        for _ in range(100_000):
            cctx.use(root).__enter__()

    copied = contextvars.copy_context()
    copied.run(scenario)
    del copied
    assert cctx.current() == root


# ---- Context.run, threads, generators ------------------------------------------------


def test_context_run_isolates_both_ways(root):
    """S13: a copy inherits; what it attaches stays inside."""
    outer, inner = root.with_cancel(), root.with_cancel()

    def in_copy():
        assert cctx.current() == outer
        cctx.use(inner).__enter__()
        assert cctx.current() == inner

    with cctx.use(outer):
        copied = contextvars.copy_context()
        copied.run(in_copy)
        assert cctx.current() == outer
    assert cctx.current() == root
    assert copied.run(cctx.current) == inner


def test_copy_goes_on_seeing_what_its_maker_has_left(root):
    """S13: as any contextvar."""
    ctx = root.with_cancel()
    with cctx.use(ctx):
        copied = contextvars.copy_context()
    assert cctx.current() == root
    assert copied.run(cctx.current) == ctx


def test_plain_thread_starts_as_contextvars_do(root):
    """S13: without a context, unless the interpreter lets threads inherit."""
    import sys

    inherits = getattr(sys.flags, "thread_inherit_context", False)
    ctx = root.with_cancel()
    seen = []
    with cctx.use(ctx):
        thread = threading.Thread(target=lambda: seen.append(cctx.current()))
        thread.start()
        thread.join()
    assert seen == [ctx if inherits else root]


def test_threads_do_not_see_each_other(root):
    start, done = threading.Barrier(8), []

    def work(number):
        with cctx.use(root.with_value("n", number)):
            start.wait()
            done.append(all(cctx.value("n") == number for _ in range(500)))

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 8


def test_generator_shares_the_context_of_its_consumer(root):
    """As contextvars do: what it attaches shows until it leaves."""
    ctx = root.with_cancel()

    def numbers():
        with cctx.use(ctx):
            yield 1
            yield 2

    generator = numbers()
    next(generator)
    assert cctx.current() == ctx
    generator.close()
    assert cctx.current() == root


def test_generator_that_outlives_its_consumers_scope_brings_nothing_back(root):
    stale = cctx.stale_detaches()

    def numbers():
        with cctx.use(root.with_value("k", "generator")):
            yield 1
            yield 2

    generator = numbers()
    with cctx.use(root.with_value("k", "first")):
        next(generator)
    assert cctx.current() == root
    with cctx.use(root.with_value("k", "second")):
        next(generator)
        assert cctx.value("k") == "second"
        generator.close()
        assert cctx.value("k") == "second"
    assert cctx.stale_detaches() == stale + 1


# ---- run and wrap --------------------------------------------------------------------


def test_run_calls_with_the_context_current(root):
    ctx = root.with_value("k", 1)

    def work(*args, **kwargs):
        return cctx.current(), args, kwargs

    said = ctx.run(work, 1, 2, callable=3, self=4)
    assert said == (ctx, (1, 2), {"callable": 3, "self": 4})
    assert on_thread(lambda: ctx.run(cctx.value, "k")) == 1
    assert cctx.current() == root


def test_run_lets_exceptions_through(root):
    def work():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        root.with_cancel().run(work)
    assert caught.value.__context__ is None
    assert cctx.current() == root


def test_run_takes_back_what_the_call_left_attached(root):
    root.with_cancel().run(lambda: cctx.use(root.with_cancel()).__enter__())
    assert cctx.current() == root


def test_run_sets_other_context_variables_where_it_is_called(root):
    """It is no Context.run: only the current context changes, and comes back."""
    variable = contextvars.ContextVar("variable", default=0)
    root.with_cancel().run(variable.set, 1)
    assert variable.get() == 1


def test_wrap_binds_to_the_context_current_then(root):
    ctx, other = root.with_value("k", 1), root.with_value("k", 2)

    def work(extra, *, named=0):
        """What it does."""
        return cctx.value("k"), extra, named

    with cctx.use(ctx):
        bound = cctx.wrap(work)
    with cctx.use(other):
        assert bound(3, named=4) == (1, 3, 4)
        assert cctx.value("k") == 2
    assert cctx.wrap(work, other)(0) == (2, 0, 0)
    assert on_thread(lambda: bound(5)) == (1, 5, 0)
    assert (bound.__name__, bound.__doc__) == ("work", work.__doc__)
    assert bound.__wrapped__ is work


def test_wrap_of_background_hides_the_current_context(root):
    bound = cctx.wrap(cctx.current)
    with cctx.use(root.with_cancel()):
        assert bound() == root


async def ask_in_coroutine():
    return cctx.value("k")


def ask_in_generator():
    yield cctx.value("k")


def finish(result):
    return asyncio.run(result) if inspect.iscoroutine(result) else next(result)


@pytest.mark.parametrize("function", [ask_in_coroutine, ask_in_generator])
def test_wrap_binds_what_runs_after_the_call(root, function):
    """Its body runs when wrap's call is over: never with the caller's context unsaid."""
    bound = cctx.wrap(function, root.with_value("k", 1))
    with cctx.use(root.with_value("k", 2)):
        assert finish(bound()) == 1


def test_wrap_may_be_called_on_many_threads_at_once(root):
    with cctx.use(root.with_value("k", 1)):
        bound = cctx.wrap(lambda: cctx.value("k"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert {job.result() for job in [pool.submit(bound) for _ in range(100)]} == {1}
        assert pool.submit(cctx.current).result() == root
