# SPDX-License-Identifier: Apache-2.0
"""Scopes: blocks that have a context of their own, derived from the current one."""

from cctx import _cctx
from cctx._vars import current


class _Scope:
    __slots__ = ("_context", "_guard", "_use", "__weakref__")

    def __init__(self):
        self._context = self._guard = self._use = None

    def __enter__(self):
        if self._use is not None:
            raise RuntimeError(
                f"this {type(self).__name__}() is entered already: make a new one for each "
                "block"
            )
        context = self._derive(current())
        use = _cctx.use(context)
        use.__enter__()
        self._use, self._context = use, context
        return context

    def __exit__(self, *exc):
        use, context = self._use, self._context
        self._use = self._context = None
        if use is not None:
            use.__exit__(*exc)
            self._finish(context)
        return False

    async def __aenter__(self):
        from cctx import _guard  # not before: asyncio is slow to import

        return await _guard.enter(self)

    async def __aexit__(self, *exc):
        from cctx import _guard

        return await _guard.leave(self, *exc)

    def _finish(self, context):
        if context is not None:
            context.cancel("the block of its scope was left")


class timeout(_Scope):
    """A scope that stops its block after this many seconds; None is no limit.

    They count from where the block is entered. Leaving cancels what was derived inside."""

    __slots__ = ("_seconds", "_message")

    def __init__(self, seconds, message=None):
        super().__init__()
        _cctx._check_limit("seconds", seconds, message)
        self._seconds = seconds
        self._message = message

    def _derive(self, parent):
        return parent.with_timeout(self._seconds, self._message)


class timeout_at(_Scope):
    """A scope that stops its block at a time, in seconds of time.monotonic(); None is never.

    Leaving cancels what was derived inside."""

    __slots__ = ("_deadline", "_message")

    def __init__(self, deadline, message=None):
        super().__init__()
        _cctx._check_limit("deadline", deadline, message)
        self._deadline = deadline
        self._message = message

    def _derive(self, parent):
        return parent.with_deadline(self._deadline, self._message)


class cancel_scope(_Scope):
    """A scope whose context cancel() stops.

    Leaving cancels what was derived inside; message says why, in its cause."""

    __slots__ = ("_message",)

    def __init__(self, message=None):
        super().__init__()
        _cctx._check_limit("deadline", None, message)
        self._message = message

    def _derive(self, parent):
        return parent.with_cancel()

    def _finish(self, context):
        if context is not None:
            context.cancel(self._message or "the block of its scope was left")


class detached(_Scope):
    """A scope for what goes on when the current work is stopped: the same values and
    metadata, without cancellation, and without the deadline unless keep_deadline."""

    __slots__ = ("_keep_deadline",)

    def __init__(self, keep_deadline=False):
        super().__init__()
        self._keep_deadline = bool(keep_deadline)

    def _derive(self, parent):
        return parent.detached(self._keep_deadline)

    def _finish(self, context):
        """What was started inside goes on."""


for _class in (timeout, timeout_at, cancel_scope, detached):
    _class.__module__ = "cctx"
