# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry: a context runtime that shares the trace with C and Lua.

    OTEL_PYTHON_CONTEXT=cctx_context

The span that is current in Python is what the values trace_id, span_id, trace_flags and
tracestate of the current cctx say; where C, Lua or a carrier set others since, those are the
parent of the next span. What is attached is kept in a ContextVar, as by the API's own runtime,
beside the cctx context made for it: while that one is current, nothing is compared.
"""

from contextvars import ContextVar, Token
from typing import Any, Dict, NamedTuple, Optional

import cctx
from cctx.contrib._trace import IDS, NAMES, Trace, read, remote, trace_of
from opentelemetry.context.context import Context, _RuntimeContext

__all__ = ["RuntimeContext"]

_KEY = "opentelemetry.context"


class _Attached(NamedTuple):
    otel: Context
    ids: Trace
    context: Optional[cctx.Context] = None  # in which `otel` holds; None in its own value
    scope: Optional[cctx.use] = None
    made: Any = None  # the token's identity


class _Token:
    """Of one attach: its ContextVar's token, and the scope to leave."""

    def __init__(self) -> None:
        self.var_token: Any = None
        self.scope: Optional[cctx.use] = None


class RuntimeContext(_RuntimeContext):
    """Selected by the entry point cctx_context."""

    def __init__(self) -> None:
        self._attached: "ContextVar[Optional[_Attached]]" = ContextVar("cctx", default=None)

    def attach(self, context: Context) -> "Token[Context]":
        current, says, token = cctx.current(), trace_of(context), _Token()
        entry = _Attached(context, says[:2])
        values: Dict[str, Any] = {_KEY: entry}
        if says != read(current, NAMES):
            values.update(zip(NAMES, says))
        child = current.with_values(values)
        token.scope = cctx.use(child)
        token.scope.__enter__()
        held = entry._replace(context=child, scope=token.scope, made=token)
        token.var_token = self._attached.set(held)
        return token  # type: ignore[return-value]

    def get_current(self) -> Context:
        held, current = self._attached.get(), cctx.current()
        if held is not None and held.context is current:
            return held.otel
        ids = read(current, IDS)
        if held is not None and (ids == held.ids or ids == (None, None)):
            return held.otel
        return self._of(current, ids, held)

    def _of(self, current: cctx.Context, ids: Trace, held: Optional[_Attached]) -> Context:
        """Of a context that did not come by attach(): what it brought, or its trace."""
        entry = current.value(_KEY)  # handed over, as by cctx.wrap to a thread
        if entry is not None and entry.ids == ids:
            return Context(entry.otel)
        try:
            other = remote(*read(current, NAMES))
        except TypeError:  # a value that cannot be hashed is no id
            other = None
        outer = held.otel if held is not None else Context()
        return Context({**outer, **other}) if other is not None else outer

    def detach(self, token: "Token[Context]") -> None:
        ours: Any = token
        top = self._attached.get()
        self._attached.reset(ours.var_token)
        ours.scope.__exit__(None, None, None)
        held = self._attached.get()
        if held is not None and (top is None or top.made is not ours):
            # Out of order: what comes back holds here, though its scope may be gone.
            self._attached.set(held._replace(context=cctx.current()))
