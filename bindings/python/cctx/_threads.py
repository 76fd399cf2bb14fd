# SPDX-License-Identifier: Apache-2.0
"""Threads that work for the context of whoever started them."""

import concurrent.futures
import contextvars
import threading

from cctx import _cctx
from cctx._vars import current

_ABSENT = object()


def start_under(thread, run_for, start):
    """Start a thread whose run() works for what is current here."""
    context = current()
    if context == _cctx.background():
        start()
        return
    context = _cctx._capture(context)
    own = vars(thread).get("run", _ABSENT)
    run = thread.run

    def put_back():
        if own is _ABSENT:
            vars(thread).pop("run", None)
        else:
            thread.run = own

    def carried():
        put_back()  # first: the thread would keep itself alive, and the context
        run_for(context, run, (), {})

    thread.run = carried
    try:
        start()
    except BaseException:
        put_back()
        raise


class Thread(threading.Thread):
    """A threading.Thread that works for the context current where start() is called: it is
    handed over, and outlasts its request."""

    def start(self):
        start_under(self, _cctx._run_handed_over, super().start)


class Executor(concurrent.futures.ThreadPoolExecutor):
    """A ThreadPoolExecutor whose jobs work for the context of whoever submits them: it is
    handed over, and outlasts its request. Its threads themselves inherit nothing."""

    def submit(self, fn, /, *args, **kwargs):
        """Schedule fn(*args, **kwargs) under the current context; a Future."""
        context = _cctx._capture(current())
        return super().submit(_cctx._run_handed_over, context, fn, args, kwargs)

    def _adjust_thread_count(self):
        # What starts a worker is whoever happens to submit when one is missing.
        contextvars.Context().run(super()._adjust_thread_count)


for _class in (Thread, Executor):
    _class.__module__ = "cctx"
