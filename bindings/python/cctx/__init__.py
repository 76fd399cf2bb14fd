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

    The result may be called on any thread, for instance by an executor."""
    run = (current() if context is None else context).run

    @_functools.wraps(function)
    def call(*args, **kwargs):
        return run(function, *args, **kwargs)

    return call
