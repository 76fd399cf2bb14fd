# SPDX-License-Identifier: Apache-2.0
"""Traces: what OpenTelemetry's Contexts and the values of a cctx context say of one."""

import functools
from typing import Any, Optional, Tuple

import cctx
from opentelemetry.context.context import Context

IDS = ("trace_id", "span_id")
NAMES = (*IDS, "trace_flags", "tracestate")
Trace = Tuple[Any, ...]


def read(context: cctx.Context, names: "Tuple[str, ...]") -> Trace:
    return tuple(context.value(name) for name in names)


def trace_of(otel: Context) -> Trace:
    """What a Context's span says, in the order of NAMES; Nones if it has none."""
    from opentelemetry import trace  # not above: the API loads this while it is loaded

    span = trace.get_current_span(otel).get_span_context()
    if not span.is_valid:
        return (None,) * len(NAMES)
    ids = f"{span.trace_id:032x}", f"{span.span_id:016x}"
    return (*ids, int(span.trace_flags), span.trace_state.to_header() or None)


@functools.lru_cache(maxsize=256)
def remote(trace_id: Any, span_id: Any, flags: Any, state: Any) -> Optional[Context]:
    """A Context whose span is what a cctx context says, or None if that is no span."""
    from opentelemetry import trace

    try:
        ids = int(trace_id, 16), int(span_id, 16)
        bits = trace.TraceFlags(flags & 3 if isinstance(flags, int) else 0)
    except (TypeError, ValueError):
        return None
    states = trace.TraceState.from_header([state]) if isinstance(state, str) else None
    span = trace.SpanContext(*ids, True, bits, states)
    span_context = trace.NonRecordingSpan(span)
    return trace.set_span_in_context(span_context, Context()) if span.is_valid else None
