# SPDX-License-Identifier: Apache-2.0
"""Observing: being told on an asyncio loop that a context is done.

Each asyncio loop has one core loop, whose file descriptor it watches. The handle of that
reader is all that owns it, so it goes when the asyncio loop is closed or collected. Every
callback runs in an empty contextvars.Context: neither it nor what it starts inherits the
context of whoever happened to register first.
"""

import asyncio
import contextvars
import functools
import inspect
import os
import threading
import weakref

from cctx import _cctx

# asyncio loop -> weak reference to its _Caller
_callers: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()
_lock = threading.RLock()  # a signal handler or finalizer may come here in the midst


class _Caller:
    """Calls what is due on one asyncio loop; owned by the handle of its reader."""

    __slots__ = ("core", "loop", "__weakref__")

    def __init__(self, loop):
        self.core = _cctx.Loop()
        self.loop = weakref.ref(loop)

    def watch(self):
        loop = self.loop()
        if loop is not None and not loop.is_closed():
            loop.add_reader(self.core.fd(), self)

    def __call__(self):
        self.core.run()
        while True:
            due = self.core.take()
            if due is None:
                return
            callback, context = due
            try:
                contextvars.Context().run(callback, context)
            except (SystemExit, KeyboardInterrupt):
                self._again()
                raise
            except BaseException as error:
                self._report(error, callback)

    def _again(self):
        """What is left waits for the loop's next turn: its descriptor will not say so."""
        loop = self.loop()
        if loop is not None:
            contextvars.Context().run(loop.call_soon, self)

    def _report(self, error, callback):
        loop = self.loop()
        if loop is not None:
            message = f"Exception in the callback {callback!r} of a context that is done"
            loop.call_exception_handler({"message": message, "exception": error})


def _forget_all():
    """In the child of a fork: the descriptors are the parent's."""
    global _lock
    _lock = threading.RLock()
    _callers.clear()


os.register_at_fork(after_in_child=_forget_all)


def _running():
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _caller_of(loop):
    with _lock:
        found = _callers.get(loop)
        caller = found() if found is not None else None
        if caller is not None:
            return caller
        if loop.is_closed():
            raise RuntimeError("this asyncio loop is closed: nothing can be called by it")
        caller = _Caller(loop)
        _callers[loop] = weakref.ref(caller)
        if loop is _running():
            contextvars.Context().run(caller.watch)
        else:
            contextvars.Context().run(loop.call_soon_threadsafe, caller.watch)
        return caller


def observe(context, callback, loop):
    return _cctx.Observer(_caller_of(loop).core, context, callback)


def on_done(context, callback, *, loop=None):
    if not callable(callback):
        raise TypeError(f"callback must be callable, not {type(callback).__name__}")
    if inspect.iscoroutinefunction(callback):
        raise TypeError(
            f"callback must not be a coroutine function, as {callback!r} is: nobody would "
            "await it; let a function create the task"
        )
    if loop is None:
        loop = _running()
        if loop is None:
            raise RuntimeError(
                "no asyncio loop runs here: name the one that should call with loop=, or "
                "block in wait()"
            )
    elif not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"loop must be an asyncio loop or None, not {type(loop).__name__}")
    return observe(context, callback, loop)


def _resolve(future, context):
    if not future.done():
        future.set_result(None)


async def done(context):
    if context.err() is None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        observer = observe(context, functools.partial(_resolve, future), loop)
        try:
            await future
        finally:
            observer.off()
    return context.err()
