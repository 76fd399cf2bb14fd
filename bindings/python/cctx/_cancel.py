# SPDX-License-Identifier: Apache-2.0
"""Cancelling an asyncio task so that it can be told who did.

From 3.11 on a task counts who asked it to stop. Before, this file counts for its own requests,
and tells them from those of others by the message that comes with the CancelledError.
"""

import asyncio
import sys
import weakref

if sys.version_info >= (3, 11):

    def cancelling(task):
        return task.cancelling()

    def cancel(task):
        task.cancel()

    def uncancel(task):
        """How many requests are left."""
        return task.uncancel()

    def is_marked(task, error):
        """Whether a request of ours may have raised `error`: the counts say whether it did."""
        return isinstance(error, asyncio.CancelledError)

else:
    _counts = weakref.WeakKeyDictionary()

    class _Mark:
        """The message of a request of ours."""

        __slots__ = ("task",)

        def __init__(self, task):
            self.task = weakref.ref(task)

        def __repr__(self):
            return "cctx: the context is done"

    def cancelling(task):
        return _counts.get(task, 0)

    def cancel(task):
        mark = _Mark(task)
        task.cancel(msg=mark)
        task._cancel_message = mark  # so that a later request of somebody else shows
        _counts[task] = cancelling(task) + 1

    def uncancel(task):
        _counts[task] = left = max(cancelling(task) - 1, 0)
        return left

    def is_marked(task, error):
        """Whether a request of ours raised `error`, and nobody else asked since."""
        if not _is_mark(task, task._cancel_message):
            return False
        # Each task that the error passes makes a new one, with the old as its context.
        while isinstance(error, asyncio.CancelledError):
            if error.args and _is_mark(task, error.args[0]):
                return True
            error = error.__context__
        return False

    def _is_mark(task, message):
        return isinstance(message, _Mark) and message.task() is task
