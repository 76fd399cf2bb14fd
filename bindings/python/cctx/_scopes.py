# SPDX-License-Identifier: Apache-2.0
"""Scopes: blocks that have a context of their own, derived from the current one."""

from cctx import _cctx
from cctx._vars import current


_LEFT = "the block of its scope was left"


class _Scope(_cctx.Block):
    """Entered and left in the extension, which asks _derive() for the context, and cancels
    it with _reason, if there is one."""

    __slots__ = ("__weakref__",)


class timeout(_Scope):
    """A scope that stops its block after this many seconds; None is no limit.

    They count from where the block is entered. Leaving cancels what was derived inside."""

    __slots__ = ("_seconds", "_message")

    def __init__(self, seconds, message=None):
        _cctx._check_limit("seconds", seconds, message)
        self._reason = _LEFT
        self._seconds = seconds
        self._message = message

    def _derive(self):
        return current().with_timeout(self._seconds, self._message)


class timeout_at(_Scope):
    """A scope that stops its block at a time, in seconds of time.monotonic(); None is never.

    Leaving cancels what was derived inside."""

    __slots__ = ("_deadline", "_message")

    def __init__(self, deadline, message=None):
        _cctx._check_limit("deadline", deadline, message)
        self._reason = _LEFT
        self._deadline = deadline
        self._message = message

    def _derive(self):
        return current().with_deadline(self._deadline, self._message)


class cancel_scope(_Scope):
    """A scope whose context cancel() stops.

    Leaving cancels what was derived inside; message says why, in its cause."""

    __slots__ = ()

    def __init__(self, message=None):
        _cctx._check_limit("deadline", None, message)
        self._reason = message or _LEFT

    def _derive(self):
        return current().with_cancel()


class detached(_Scope):
    """A scope for what goes on when the current work is stopped: the same values and
    metadata, without cancellation, and without the deadline unless keep_deadline."""

    __slots__ = ("_keep_deadline",)

    def __init__(self, keep_deadline=False):
        self._keep_deadline = bool(keep_deadline)
        self._reason = None  # what was started inside goes on

    def _derive(self):
        return current().detached(self._keep_deadline)


for _class in (timeout, timeout_at, cancel_scope, detached):
    _class.__module__ = "cctx"
