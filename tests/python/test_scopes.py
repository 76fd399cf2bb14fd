# SPDX-License-Identifier: Apache-2.0
"""Scopes in a with statement: what each makes current, and what it leaves behind."""

import concurrent.futures
import contextvars
import gc
import inspect

import cctx
import pytest

SCOPES = {
    "timeout": lambda: cctx.timeout(1),
    "timeout_at": lambda: cctx.timeout_at(1001),
    "cancel_scope": cctx.cancel_scope,
    "detached": cctx.detached,
    "request": cctx.request,
    "use": lambda: cctx.use(cctx.background().with_cancel()),
}
each_scope = pytest.mark.parametrize("make", SCOPES.values(), ids=SCOPES)


@each_scope
def test_scope_yields_what_it_makes_current(make, clock, root):
    with make() as ctx:
        assert isinstance(ctx, cctx.Context)
        assert cctx.current() == ctx != root
        assert cctx.current_status() == "attached"
    assert cctx.current() == root
    assert cctx.current_status() == "none"


@each_scope
def test_scope_keeps_the_exception_of_its_block(make, clock):
    with pytest.raises(KeyError, match="mine") as caught:
        with make():
            raise KeyError("mine")
    assert caught.value.__context__ is None


@each_scope
def test_scope_serves_one_block_at_a_time(make, clock, root):
    scope = make()
    with scope as ctx:
        with pytest.raises(RuntimeError, match="entered already: make a new one"):
            scope.__enter__()
        assert cctx.current() == ctx
    with scope as again:
        assert cctx.current() == again
    assert scope.__exit__(None, None, None) is False
    assert cctx.current() == root


@each_scope
def test_scope_left_in_another_contextvars_context_raises_nothing(make, clock, root):
    scope, elsewhere = make(), contextvars.Context()
    elsewhere.run(scope.__enter__)
    assert scope.__exit__(None, None, None) is False
    assert elsewhere.run(cctx.current) == root


@each_scope
def test_scope_left_on_another_thread_raises_nothing(make, clock, root):
    scope = make()
    scope.__enter__()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(scope.__exit__, None, None, None).result() is False
    assert cctx.current() == root
    # What is left elsewhere goes with its Context, or as soon as that is used again.
    with cctx.use(root):
        pass


@each_scope
def test_scope_of_a_generator_that_is_collected_raises_nothing(make, clock, root):
    def generate():
        with make():
            yield cctx.current()

    def consume():
        assert next(generate()) != root
        gc.collect()
        return cctx.current()

    assert contextvars.Context().run(consume) == root


# ---- Timeouts --------------------------------------------------------------------------


def test_timeout_counts_from_where_its_block_is_entered(clock):
    scope = cctx.timeout(2)
    clock.advance(1)
    with scope as ctx:
        assert ctx.deadline() == 1003.0
        assert cctx.remaining() == 2.0


def test_timeout_derives_from_what_is_current_at_its_block(clock, root):
    scope = cctx.timeout(2)
    with cctx.use(root.with_value("k", "v").with_timeout(1)):
        with scope:
            assert cctx.value("k") == "v"
            assert cctx.deadline() == 1001.0


def test_body_of_a_timeout_is_stopped_where_it_checks(clock):
    steps = 0
    with pytest.raises(cctx.DeadlineExceeded, match="too slow") as caught:
        with cctx.timeout(2, "too slow"):
            for _ in range(10):
                cctx.check()
                steps += 1
                clock.advance(0.5)
    assert steps == 4
    assert isinstance(caught.value, TimeoutError)


def test_timeout_of_none_is_no_limit(clock):
    with cctx.timeout(None) as ctx:
        assert ctx.deadline() is None
    with cctx.timeout_at(None) as ctx:
        assert ctx.deadline() is None


def test_negative_timeout_is_done_when_its_block_begins(clock):
    """S14: as a context of a negative timeout is."""
    with cctx.timeout(-1):
        assert cctx.err() == "deadline_exceeded"
    with cctx.timeout_at(999):
        assert cctx.err() == "deadline_exceeded"
    with cctx.timeout(float("inf")) as ctx:
        assert ctx.deadline() is None


def test_leaving_a_timeout_cancels_what_was_derived_inside(clock):
    for make in (SCOPES["timeout"], SCOPES["timeout_at"], cctx.cancel_scope):
        with make():
            kept = cctx.current().with_value("k", 1)
        assert kept.err() == "canceled"
        assert kept.cause().message == "the block of its scope was left"


def test_cause_names_the_line_that_opened_the_scope(clock):
    line = inspect.currentframe().f_lineno + 1
    with cctx.timeout(1) as ctx:
        clock.advance(1)
    assert ctx.cause().file.endswith("test_scopes.py")
    assert ctx.cause().line == line


def test_cause_names_the_line_that_left_the_scope(clock):
    with cctx.cancel_scope() as ctx:
        first = inspect.currentframe().f_lineno - 1
    assert ctx.cause().file.endswith("test_scopes.py")
    assert first <= ctx.cause().line <= first + 1


# ---- Cancel scopes, and what is detached -----------------------------------------------


def test_cancel_scope_can_be_canceled():
    with cctx.cancel_scope() as ctx:
        assert ctx.cancel("enough") is True
        with pytest.raises(cctx.Canceled, match="enough"):
            cctx.check()
    assert ctx.cause().message == "enough"


def test_message_of_a_cancel_scope_says_why_leaving_canceled():
    with cctx.cancel_scope("the work is done") as ctx:
        pass
    assert ctx.cause().message == "the work is done"


def test_detached_block_goes_on_when_its_request_is_over(clock, root):
    request = root.with_value("k", "v").with_metadata("m", "w").with_timeout(1)
    with cctx.use(request):
        with cctx.detached() as ctx:
            request.cancel()
            assert cctx.err() is None
            assert (cctx.value("k"), cctx.metadata("m")) == ("v", "w")
            assert cctx.deadline() is None
    assert ctx.err() is None, "leaving ends nothing that was started inside"


def test_detached_keeps_the_deadline_if_asked(clock, root):
    with cctx.use(root.with_timeout(1)):
        with cctx.detached(keep_deadline=True):
            assert cctx.deadline() == 1001.0


# ---- Bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: cctx.timeout("1"), TypeError, "seconds must be a number of seconds or None"),
        (lambda: cctx.timeout(float("nan")), ValueError, "seconds is not a number"),
        (lambda: cctx.timeout(1, 2), TypeError, "message must be a str or None, not int"),
        (lambda: cctx.timeout(1, "a\0b"), ValueError, "message must not contain a NUL"),
        (lambda: cctx.timeout_at([]), TypeError, "deadline must be a number of seconds"),
        (lambda: cctx.timeout_at(float("nan")), ValueError, "deadline is not a number"),
        (lambda: cctx.cancel_scope(1), TypeError, "message must be a str or None, not int"),
        (lambda: cctx.use(None), TypeError, "cctx.Context"),
    ],
)
def test_scope_refuses_bad_input_before_its_block(call, error, text):
    with pytest.raises(error, match=text):
        call()
