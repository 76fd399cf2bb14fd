# SPDX-License-Identifier: Apache-2.0
"""Guards: what `async with` adds to a scope.

While the block runs, its task is cancelled once the context is done, as asyncio.timeout
does it: once, at an await, and only what that request raised becomes the context's
error. Nothing here touches a task from another thread.
"""

import asyncio
import contextvars

from cctx import _cancel, _cctx, _observe


def _current_task():
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class Guard:
    """Cancels the task that made it once a context is done."""

    __slots__ = ("context", "task", "before", "fired", "disarm")

    def __init__(self, context):
        self.task = _current_task()
        if self.task is None:
            raise RuntimeError(
                "async with a scope needs an asyncio task: use with, and call check() in it"
            )
        self.context = context
        self.before = _cancel.cancelling(self.task)
        self.fired = False
        loop = self.task.get_loop()
        if not context.can_be_done():
            self.disarm = None
        elif context.err() is None:
            self.disarm = _observe.observe(context, self._fire, loop).off
        else:  # at the first await, as nothing can be sooner
            empty = contextvars.Context()
            self.disarm = loop.call_soon(self._fire, context, context=empty).cancel

    def off(self):
        """Stop the task no more."""
        disarm, self.disarm = self.disarm, None
        if disarm is not None:
            disarm()

    def _fire(self, context):
        self.fired = True
        _cancel.cancel(self.task)

    def settle(self, error):
        """The block was left by `error`, or None: raise why, if that was for the context."""
        if not self.fired or self.task.done():
            return
        left = _cancel.uncancel(self.task)
        if left > self.before or _current_task() is not self.task:
            return
        if _cancel.is_marked(self.task, error):
            try:
                self.context.check()
            except _cctx.Canceled as reason:
                raise reason from error


async def enter(scope):
    context = scope.__enter__()
    try:
        scope._guard = Guard(context)
    except BaseException:
        scope.__exit__(None, None, None)
        raise
    return context


async def leave(scope, kind, error, traceback):
    guard = scope._guard
    scope._guard = None
    if guard is not None:
        guard.off()
    scope.__exit__(kind, error, traceback)
    if guard is not None:
        guard.settle(error)
    return False
