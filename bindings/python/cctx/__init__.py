# SPDX-License-Identifier: Apache-2.0
"""One context for a request: metadata, deadline, cancellation.

    import cctx

    def handler():
        print(cctx.metadata("tenant"), cctx.remaining())
        cctx.check()                          # raises once the work should stop
        with cctx.use(cctx.current().with_timeout(0.1)):
            step()                            # sees 100 ms at most, in Python, C and Lua

A context follows the code as a contextvars.ContextVar does: tasks and copies of
the running contextvars.Context inherit it. Times are seconds.
"""

import functools as _functools
import inspect as _inspect

from cctx._cctx import (
    Canceled,
    Cause,
    Context,
    DeadlineExceeded,
    __version__,
    alive,
    background,
    can_be_done,
    cause,
    check,
    current,
    deadline,
    err,
    metadata,
    metadata_pairs,
    remaining,
    stale_detaches,
    todo,
    use,
    value,
)

__all__ = [
    "Canceled",
    "Cause",
    "Context",
    "DeadlineExceeded",
    "alive",
    "background",
    "can_be_done",
    "cause",
    "check",
    "current",
    "deadline",
    "err",
    "metadata",
    "metadata_pairs",
    "remaining",
    "stale_detaches",
    "todo",
    "use",
    "value",
    "wrap",
]


def wrap(function, context=None):
    """Return `function` bound to a context: by default to the one current now.

    The result may be called on any thread, for instance by an executor. A coroutine
    function stays one, and runs under the context whichever task awaits it."""
    if not callable(function):
        raise TypeError(f"function must be callable, not {type(function).__name__}")
    if context is None:
        context = current()
    elif not isinstance(context, Context):
        raise TypeError(f"context must be a cctx.Context, not {type(context).__name__}")
    if _inspect.isgeneratorfunction(function) or _inspect.isasyncgenfunction(function):
        raise TypeError(
            f"wrap cannot bind {function.__name__}: a generator runs in the context of "
            "whoever resumes it; enter use(context) inside it instead"
        )
    if _inspect.iscoroutinefunction(function):

        @_functools.wraps(function)
        async def call(*args, **kwargs):
            with use(context):
                return await function(*args, **kwargs)

    else:

        @_functools.wraps(function)
        def call(*args, **kwargs):
            return context.run(function, *args, **kwargs)

    return call
