# SPDX-License-Identifier: Apache-2.0
"""Waiting for a context to be done: wait()."""

import threading

import pytest


def test_wait_returns_when_another_thread_cancels(root):
    ctx = root.with_cancel()
    thread = threading.Thread(target=ctx.cancel)
    thread.start()
    assert ctx.wait() == "canceled"
    thread.join()


def test_wait_polls_with_a_timeout_that_has_passed(root):
    ctx = root.with_cancel()
    assert ctx.wait(0) is None
    assert ctx.wait(-1) is None
    assert ctx.err() is None
    ctx.cancel()
    assert ctx.wait(0) == "canceled"


def test_wait_follows_the_clock(root, clock):
    ctx, said = root.with_timeout(2), []
    waiters = [
        threading.Thread(target=lambda t=t: said.append(ctx.wait(t))) for t in (1, None)
    ]
    for waiter in waiters:
        waiter.start()
    clock.advance(1)
    waiters[0].join()
    assert said == [None]
    clock.advance(1)
    waiters[1].join()
    assert said == [None, "deadline_exceeded"]


def test_wait_ends_at_the_deadline_of_its_context(root):
    assert root.with_timeout(0.01).wait(60) == "deadline_exceeded"


def test_wait_lets_other_threads_run(root):
    ctx, seen = root.with_cancel(), []

    def work():
        seen.append(1)
        ctx.cancel()

    thread = threading.Thread(target=work)
    thread.start()
    ctx.wait()
    thread.join()
    assert seen == [1]


def test_signal_ends_a_wait(script):
    """KeyboardInterrupt does not wait for the context."""
    said = script(
        """
        import os, signal, threading
        import cctx

        signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored here
        interrupt = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
        try:
            interrupt.start()
            cctx.background().with_cancel().wait()
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert said == "interrupted\n"


@pytest.mark.parametrize(
    "timeout, error, text",
    [
        ("1", TypeError, "timeout must be a number of seconds or None"),
        (float("nan"), ValueError, "timeout is not a number"),
    ],
)
def test_wait_refuses_bad_input(root, timeout, error, text):
    with pytest.raises(error, match=text):
        root.wait(timeout)
