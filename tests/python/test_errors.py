# SPDX-License-Identifier: Apache-2.0
"""Causes and exceptions: who stopped it, and what was wrong with an argument."""

import inspect
import pickle
import sys

import cctx
import pytest


def here():
    """The line of the caller."""
    return inspect.currentframe().f_back.f_lineno


def test_cause_has_the_place_of_the_cancel(root, clock):
    ctx = root.with_cancel()
    line = here() + 1
    ctx.cancel("enough")
    cause = ctx.cause()
    assert (cause.status, cause.message, cause.time) == ("canceled", "enough", 1000.0)
    assert __file__.endswith(cause.file)
    assert cause.file.endswith("test_errors.py")
    assert cause.line == line
    assert tuple(cause) == ("canceled", "enough", cause.file, line, 1000.0)


def test_cause_of_a_deadline_has_the_place_that_set_it(root, clock):
    lines = [here() + 1, here() + 2]
    by_timeout = root.with_timeout(1, message="slow")
    by_deadline = root.with_deadline(1001, "slower")
    clock.advance(2)
    for ctx, line, message in zip((by_timeout, by_deadline), lines, ("slow", "slower")):
        cause = ctx.with_value("k", 1).cause()
        assert (cause.status, cause.message) == ("deadline_exceeded", message)
        assert (cause.line, cause.time) == (line, 1001.0)
        assert cause.file.endswith("test_errors.py")


def test_parents_earlier_deadline_is_the_cause(root, clock):
    child = root.with_timeout(1, "parent's").with_timeout(5, "child's")
    clock.advance(9)
    assert child.cause().message == "parent's"


def test_cause_without_a_message_says_what_happened(root):
    ctx, late = root.with_cancel(), root.with_timeout(-1)
    ctx.cancel()
    assert ctx.cause().message == "context canceled"
    assert late.cause().message == "context deadline exceeded"


def test_place_without_a_python_frame_below_c_is_the_callers(root):
    ctx = root.with_cancel()
    list(map(ctx.cancel, ["by map"]))
    assert ctx.cause().file.endswith("test_errors.py")


def test_long_message_is_cut_between_characters(root):
    ctx = root.with_cancel()
    ctx.cancel("\u00fc" * 80)
    message = ctx.cause().message
    assert 0 < len(message.encode()) < 96
    assert set(message) == {"\u00fc"}


def test_file_with_any_name_is_a_place(script):
    assert script("""
        import cctx
        for name in ["\\udcff.py", "gr\\u00fcn" * 40 + ".py", ""]:
            ctx = cctx.background().with_cancel()
            exec(compile("ctx.cancel()", name, "exec"))
            assert name.endswith(ctx.cause().file), ctx.cause()
            try:
                ctx.check()
            except cctx.Canceled as error:
                print(error.cause == ctx.cause())
    """) == "True\n" * 3  # fmt: skip


# ---- check -------------------------------------------------------------------------


def test_check_raises_canceled_with_its_cause(root):
    ctx = root.with_cancel()
    assert ctx.check() is None
    ctx.cancel("enough")
    with pytest.raises(cctx.Canceled, match=r"enough \(.*test_errors\.py:\d+\)") as caught:
        ctx.check()
    assert type(caught.value) is cctx.Canceled
    assert caught.value.cause == ctx.cause()
    assert not isinstance(caught.value, TimeoutError)


def test_check_raises_deadline_exceeded_which_is_a_timeout(root):
    ctx = root.with_timeout(-1, "too slow")
    with pytest.raises(TimeoutError, match="too slow") as caught:
        ctx.check()
    assert type(caught.value) is cctx.DeadlineExceeded
    assert isinstance(caught.value, cctx.Canceled)
    assert caught.value.cause == ctx.cause()
    assert caught.value.cause.status == "deadline_exceeded"


def test_check_keeps_the_exception_being_handled_as_context(root):
    ctx = root.with_timeout(-1)
    with pytest.raises(cctx.Canceled) as caught:
        try:
            raise KeyError("first")
        except KeyError:
            ctx.check()
    assert isinstance(caught.value.__context__, KeyError)


def test_each_check_raises_an_exception_of_its_own(root):
    ctx = root.with_timeout(-1)
    errors = []
    for _ in range(2):
        with pytest.raises(cctx.Canceled) as caught:
            ctx.check()
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_exceptions_and_causes_can_be_pickled(root):
    """A process pool sends them home."""
    ctx = root.with_cancel()
    ctx.cancel("enough")
    for done in (ctx, root.with_timeout(-1)):
        with pytest.raises(cctx.Canceled) as caught:
            done.check()
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is type(caught.value)
        assert str(again) == str(caught.value)
        assert again.cause == done.cause()
        assert type(again.cause) is cctx.Cause


def test_exception_that_a_user_makes_has_no_cause():
    assert cctx.Canceled("mine").cause is None
    assert cctx.DeadlineExceeded("mine").cause is None


# ---- Bad input ---------------------------------------------------------------------

ROOT = cctx.background()
STOP = ROOT.with_cancel
NAN = float("nan")

WRONG = {
    "value": (lambda: ROOT.value(5), TypeError, "key must be a str, not int"),
    "flat value": (lambda: cctx.value(b"k"), TypeError, "key must be a str, not bytes"),
    "no key": (lambda: ROOT.value(), TypeError, "key"),
    "with_value": (lambda: ROOT.with_value(5, 1), TypeError, "key must be a str, not int"),
    "with_value, one": (lambda: ROOT.with_value("k"), TypeError, "2 arguments"),
    "empty key": (lambda: ROOT.with_value("", 1), ValueError, "key: a name has 1 to 255"),
    "NUL in key": (lambda: ROOT.with_value("a\0", 1), ValueError, "key: .* no NUL"),
    "long key": (lambda: ROOT.with_value("k" * 256, 1), ValueError, "key: a name has 1 to"),
    "surrogate key": (lambda: ROOT.with_value("\ud800", 1), ValueError, "key"),
    "with_values": (lambda: ROOT.with_values(3), TypeError, "mapping, not int"),
    "with_values, str": (lambda: ROOT.with_values("k"), TypeError, "mapping, not str"),
    "with_values, list": (lambda: ROOT.with_values([1]), TypeError, "mapping, not list"),
    "with_values, key": (lambda: ROOT.with_values({1: 1}), TypeError, "key must be a str"),
    "metadata": (lambda: ROOT.metadata(5), TypeError, "name.* must be .*str, not int"),
    "scope": (lambda: ROOT.with_metadata("k", "v", "x"), ValueError, "'upstream', not 'x'"),
    "scope's type": (lambda: ROOT.with_metadata("k", "v", 3), TypeError, "scope.* not int"),
    "no value": (lambda: ROOT.with_metadata("k"), TypeError, "mapping|value"),
    "surrogate value": (lambda: ROOT.with_metadata("k", "\ud800"), ValueError, "metadata"),
    "timeout": (lambda: ROOT.with_timeout("1"), TypeError, "timeout must .* not str"),
    "deadline": (lambda: ROOT.with_deadline([]), TypeError, "deadline must .* not list"),
    "no timeout": (lambda: ROOT.with_timeout(), TypeError, "timeout"),
    "NaN": (lambda: ROOT.with_timeout(NAN), ValueError, "timeout .* NaN"),
    "NaN deadline": (lambda: ROOT.with_deadline(NAN), ValueError, "deadline .* NaN"),
    "timeout's message": (lambda: ROOT.with_timeout(1, 3), TypeError, "message .*not int"),
    "message": (lambda: STOP().cancel(5), TypeError, "message .*not int"),
    "NUL in message": (lambda: STOP().cancel("a\0b"), ValueError, "message"),
    "cancel a root": (lambda: ROOT.cancel(), ValueError, "cannot be canceled: only what"),
    "run": (lambda: ROOT.run(), TypeError, "callable as its first argument"),
    "run, int": (lambda: ROOT.run(3), TypeError, "'int' object is not callable"),
    "use": (lambda: cctx.use(3), TypeError, "cctx.Context, not int"),
    "no context": (lambda: cctx.use(), TypeError, "context"),
    "wrap": (lambda: cctx.wrap(len, 3), TypeError, "cctx.Context or None, not int"),
    "wrap, int": (lambda: cctx.wrap(3), TypeError, "function|callable"),
}


@pytest.mark.parametrize("call, error, words", WRONG.values(), ids=WRONG)
def test_wrong_argument_is_named_with_what_would_be_right(call, error, words):
    with pytest.raises(error, match=words):
        call()
    assert cctx.current() == ROOT


@pytest.mark.parametrize("error", [TypeError, ValueError, ZeroDivisionError])
def test_exception_of_a_number_comes_through(root, error):
    class Number:
        def __float__(self):
            raise error("mine")

    with pytest.raises(error, match="mine"):
        root.with_timeout(Number())


def test_refused_cancel_does_not_cancel(root):
    ctx = root.with_cancel()
    for message in (5, "a\0b", "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            ctx.cancel(message)
    assert ctx.err() is None


def test_clock_refuses_what_is_no_time():
    from cctx import testing

    for now in ("1", float("nan"), []):
        with pytest.raises((TypeError, ValueError), match="now"):
            testing.clock_set(now)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="ctypes is for one interpreter")
def test_context_of_another_interpreter_is_refused_and_says_so(script):
    said = script(
        """
        import sys
        import _xxsubinterpreters as interpreters
        import cctx

        ctx = cctx.background().with_cancel()
        interpreters.run_string(interpreters.create(), f'''
        import sys
        sys.path[:0] = {sys.path!r}
        import cctx, ctypes
        other = ctypes.cast({id(ctx)}, ctypes.py_object).value
        try:
            cctx.use(other)
        except TypeError as error:
            print(error, flush=True)
        del other
        '''.replace(chr(10) + "        ", chr(10)))
        """
    )
    assert said == "context must be a cctx.Context of this interpreter: this is another's\n"
