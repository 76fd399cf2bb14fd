# SPDX-License-Identifier: Apache-2.0
"""The tree: deriving, deadlines, cancellation."""

import concurrent.futures
import copy
import pickle
import threading

import cctx
import pytest
from cctx.testing import clock_set

INF = float("inf")


def test_child_deadline_is_cut_to_the_parent(root, clock):
    """S1: a child may ask for less time, never for more."""
    parent = root.with_timeout(2)
    assert parent.with_timeout(5).deadline() == 1002.0
    assert parent.with_deadline(1001.5).deadline() == 1001.5
    assert parent.with_timeout(None).deadline() == 1002.0
    assert parent.with_timeout(INF).remaining() == 2.0
    assert parent.deadline() == 1002.0


def test_first_cancellation_fixes_the_cause(root, clock):
    """S2: neither a second cancel nor a deadline that passes later changes it."""
    ctx = root.with_timeout(1)
    ctx.cancel("first")
    cause = ctx.cause()
    clock.advance(5)
    ctx.cancel("second")
    assert ctx.err() == "canceled"
    assert ctx.cause() == cause
    assert cause.message == "first"
    assert cause.time == 1000.0


def test_deadline_that_passed_first_fixes_the_cause(root, clock):
    """S2: a cancel after the deadline comes too late."""
    ctx = root.with_timeout(1, "slow")
    clock.advance(1)
    assert ctx.cancel("late") is False
    assert ctx.err() == "deadline_exceeded"
    assert ctx.cause().message == "slow"
    assert ctx.cause().time == 1001.0


def test_cancel_reaches_every_descendant_and_no_ancestor(root):
    """S3: through values, metadata, deadlines and cancelable nodes."""
    parent = root.with_cancel()
    middle = parent.with_cancel()
    sibling = parent.with_cancel()
    below = [middle.with_value("k", 1), middle.with_metadata("m", "v")]
    below += [middle.with_timeout(9)]
    below += [ctx.with_cancel() for ctx in below]
    middle.cancel("stop")
    assert [ctx.err() for ctx in below] == ["canceled"] * 6
    assert {ctx.cause().message for ctx in below} == {"stop"}
    assert (parent.err(), sibling.err(), root.err()) == (None, None, None)


def test_child_of_a_done_context_is_born_done(root, clock):
    """S4: with its parent's cause."""
    canceled, late = root.with_cancel(), root.with_timeout(1, "late")
    canceled.cancel("gone")
    clock.advance(1)
    for parent in (canceled, late):
        children = [parent.with_cancel(), parent.with_value("k", 1), parent.with_timeout(3),
                    parent.with_values({}), parent.with_metadata("a", "b")]  # fmt: skip
        for child in children:
            assert child.err() == parent.err()
            assert child.cause() == parent.cause()


def test_err_looks_at_the_clock(root, clock):
    """S5: nothing has to fire; at the deadline itself time is up."""
    ctx = root.with_timeout(1)
    clock.advance(0.75)
    assert (ctx.err(), ctx.remaining()) == (None, 0.25)
    clock.advance(0.25)
    assert (ctx.err(), ctx.remaining()) == ("deadline_exceeded", 0.0)
    clock.advance(5)
    assert (ctx.deadline(), ctx.remaining()) == (1001.0, 0.0)


def test_detached_keeps_what_is_known_and_drops_what_stops(root, clock):
    """S8: values and metadata stay, deadline and cancellation go."""
    request = root.with_timeout(1).with_value("user", "ann").with_metadata("tenant", "acme")
    free, kept = request.detached(), request.detached(keep_deadline=True)
    clock.advance(2)
    assert request.err() == "deadline_exceeded"
    for ctx in (free, kept):
        assert ctx.value("user") == "ann"
        assert ctx.metadata("tenant") == "acme"
    assert (free.err(), free.deadline(), free.can_be_done()) == (None, None, False)
    assert (kept.err(), kept.deadline()) == ("deadline_exceeded", 1001.0)


def test_detached_survives_the_cancellation_of_its_parent(root):
    """S8: and pins no ancestor."""
    parent = root.with_cancel()
    alive = cctx.alive()
    free = parent.with_value("k", 1).detached()
    parent.cancel()
    assert free.err() is None
    assert free.with_cancel().cancel() is True
    assert cctx.alive() == alive + 1


@pytest.mark.parametrize("timeout", [-1, -0.5, 0, -INF, -1e300, -(2**80)])
def test_negative_or_zero_timeout_is_born_done(root, timeout):
    """S14: not an error."""
    ctx = root.with_timeout(timeout)
    assert ctx.err() == "deadline_exceeded"
    assert ctx.remaining() == 0.0


@pytest.mark.parametrize("timeout", [None, INF, 1e300, 2**80])
def test_timeout_that_does_not_fit_is_no_limit(root, timeout):
    for ctx in (root.with_timeout(timeout), root.with_deadline(timeout)):
        assert (ctx.deadline(), ctx.remaining(), ctx.err()) == (None, None, None)
        assert ctx.can_be_done()


@pytest.mark.parametrize("sign", [1, -1])
def test_timeout_that_no_double_holds_saturates_too(root, sign):
    ctx = root.with_timeout(sign * 10**400)
    assert ctx.err() == (None if sign == 1 else "deadline_exceeded")


def test_any_number_is_a_timeout(root, clock):
    from decimal import Decimal
    from fractions import Fraction

    for timeout in (Decimal("0.5"), Fraction(1, 2), 0.5):
        assert root.with_timeout(timeout).deadline() == 1000.5


def test_cancel_says_whether_it_was_first(root):
    """S15: also when a parent was first."""
    parent = root.with_cancel()
    child = parent.with_cancel()
    assert parent.cancel() is True
    assert parent.cancel() is False
    assert child.cancel() is False


def test_one_of_many_threads_is_first(root):
    """S15: exactly one, and when any cancel returns the context is done."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            ctx = root.with_cancel()
            start = threading.Barrier(8)

            def stop(ctx=ctx, start=start):
                start.wait()
                return ctx.cancel(), ctx.err()

            said = [job.result() for job in [pool.submit(stop) for _ in range(8)]]
            assert sorted(first for first, _ in said) == [False] * 7 + [True]
            assert {err for _, err in said} == {"canceled"}


def test_roots_are_two_and_never_done(root):
    assert root == cctx.background() != cctx.todo()
    for ctx in (root, cctx.todo()):
        assert (ctx.err(), ctx.cause(), ctx.check(), ctx.deadline()) == (None,) * 4
        assert not ctx.can_be_done()


def test_what_can_be_done_says_so(root):
    assert root.with_cancel().with_value("k", 1).can_be_done()
    assert root.with_timeout(1).can_be_done()
    assert not root.with_value("k", 1).can_be_done()


def test_only_what_cancel_was_asked_for_can_be_canceled(root):
    parent = root.with_cancel()
    for ctx in (root, parent.with_value("k", 1), parent.with_metadata("a", "b")):
        with pytest.raises(ValueError, match="with_cancel"):
            ctx.cancel()
    assert parent.err() is None


def test_equality_is_identity_of_the_node(root):
    ctx = root.with_cancel()
    with cctx.use(ctx):
        again = cctx.current()
    assert again == ctx
    assert hash(again) == hash(ctx)
    assert {ctx: 1}[again] == 1
    assert ctx != root.with_cancel()
    assert ctx != "ctx"
    with pytest.raises(TypeError):
        ctx < again  # noqa: B015


def test_repr_says_how_it_stands_and_no_value(root, clock):
    ctx = root.with_timeout(1.5).with_value("password", "hunter2")
    assert repr(ctx) == "<cctx.Context 1500 ms left>"
    assert repr(root) == "<cctx.Context background>"
    clock.advance(2)
    assert repr(ctx) == "<cctx.Context deadline_exceeded>"


def test_context_cannot_be_pickled(root):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(root, protocol)


def test_context_is_made_by_deriving_alone(script):
    assert script("""
        import cctx
        for make in (cctx.Context, lambda: object.__new__(cctx.Context),
                     lambda: type("Sub", (cctx.Context,), {})):
            try:
                made = make()
            except TypeError as error:
                print("refused")
            else:
                print("made", made)
    """) == "refused\n" * 3  # fmt: skip


def test_context_has_no_room_for_attributes(root):
    with pytest.raises(AttributeError):
        root.tenant = "acme"


def test_hundred_thousand_levels_are_asked_and_freed(root):
    ctx = top = root.with_cancel()
    for _ in range(100_000):
        ctx = ctx.with_cancel()
    top.cancel("deep")
    assert ctx.cause().message == "deep"


def test_child_keeps_its_parent_alive(root):
    before = cctx.alive()
    child = root.with_value("k", "v").with_cancel()
    assert cctx.alive() == before + 2
    assert child.value("k") == "v"
    del child
    assert cctx.alive() == before


def test_copy_of_a_context_is_the_context(root):
    ctx = root.with_cancel()
    assert copy.copy(ctx) is ctx
    assert copy.deepcopy([ctx])[0] is ctx


def test_merged_context_ends_with_either(root):
    """S16: a merged context ends with the first of its parents, for that one's cause."""
    a, b = root.with_value("k", "a").with_cancel(), root.with_value("k", "b").with_cancel()
    merged = a.merge(b)
    assert merged.err() is None and merged.value("k") == "a"
    b.cancel("enough")
    assert merged.cause().message == "enough" and a.err() is None
    with pytest.raises(TypeError, match="cctx.Context, not int"):
        a.merge(b, 1)


def test_grace_is_the_hard_stop_after_the_soft_one(root):
    """S17: a grace ends so much later than its parent, for its cause."""
    clock_set(10)
    soft = root.with_timeout(5)
    hard = soft.with_grace(2)
    assert hard.deadline() == 17
    soft.cancel("stop")
    clock_set(11.5)
    assert (soft.err(), hard.err()) == ("canceled", None)
    clock_set(12)
    assert hard.cause().message == "stop"
