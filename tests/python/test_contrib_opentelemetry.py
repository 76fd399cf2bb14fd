# SPDX-License-Identifier: Apache-2.0
"""cctx.contrib.opentelemetry: one trace in OpenTelemetry's context and in the current one."""

import asyncio
import contextvars
import ctypes
import threading

import cctx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

from cctx.contrib.opentelemetry import RuntimeContext  # noqa: E402
from opentelemetry import baggage, context, trace  # noqa: E402
from opentelemetry.context.contextvars_context import (  # noqa: E402
    ContextVarsRuntimeContext,
)
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b"}


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    made = RuntimeContext()
    monkeypatch.setattr(context, "_RUNTIME_CONTEXT", made)
    return made


@pytest.fixture
def tracer():
    return TracerProvider(shutdown_on_exit=False).get_tracer("contrib")


def ids():
    return cctx.value("trace_id"), cctx.value("span_id")


def ids_of(span):
    span = span.get_span_context()
    return f"{span.trace_id:032x}", f"{span.span_id:016x}"


def test_span_of_python_is_what_the_current_context_says(tracer):
    with tracer.start_as_current_span("outer") as outer:
        assert ids() == ids_of(outer) and cctx.value("trace_flags") & 1 == 1
        with tracer.start_as_current_span("inner") as inner:
            assert ids() == ids_of(inner)
            assert cctx.inject({})["traceparent"].startswith("00-%s-%s-" % ids_of(inner))
        assert ids() == ids_of(outer)
    assert ids() == (None, None)


class Variant(ctypes.Structure):
    """A cctx_variant of a string."""

    _fields_ = [("type", ctypes.c_int), ("bytes", ctypes.c_char_p), ("len", ctypes.c_size_t),
                ("rest", ctypes.c_void_p * 2)]  # fmt: skip


def read_in_c(name):
    """What C code on this thread reads of its current context, nothing passed to it."""
    core = ctypes.PyDLL("libcctx.so.0")  # the one that is loaded
    core.cctx_current.restype = core.cctx_key_named.restype = ctypes.c_void_p
    key, found = ctypes.c_void_p(core.cctx_key_named(name.encode())), Variant()
    core.cctx_value(ctypes.c_void_p(core.cctx_current()), key, ctypes.byref(found))
    return found.bytes[: found.len].decode()


def test_span_of_python_is_what_c_reads(tracer):
    with tracer.start_as_current_span("outer") as outer:
        assert (read_in_c("trace_id"), read_in_c("span_id")) == ids_of(outer)


def test_trace_that_came_is_the_parent_of_a_span(tracer):
    with cctx.use(cctx.extract(HEADERS)), tracer.start_as_current_span("inner") as span:
        assert ids_of(span)[0] == TRACE and f"{span.parent.span_id:016x}" == SPAN
        assert span.parent.is_remote and span.parent.trace_state.get("a") == "b"
        assert cctx.value("tracestate") == "a=b"


def test_span_that_others_set_below_is_the_parent_of_the_next(tracer):
    with tracer.start_as_current_span("outer") as outer:
        with cctx.use(cctx.current().with_value("span_id", SPAN)):  # as C and Lua do
            with tracer.start_as_current_span("inner") as inner:
                assert f"{inner.parent.span_id:016x}" == SPAN
            assert f"{trace.get_current_span().get_span_context().span_id:016x}" == SPAN
        assert trace.get_current_span() is outer


def test_context_that_is_only_derived_keeps_the_span_itself(tracer):
    with tracer.start_as_current_span("outer") as outer, cctx.timeout(5):
        assert trace.get_current_span() is outer


def test_span_that_is_handed_over_to_a_thread_is_current_there(tracer):
    seen = []
    with tracer.start_as_current_span("outer") as outer:
        context.attach(baggage.set_baggage("tenant", "acme"))
        look = lambda: seen.append((trace.get_current_span(), baggage.get_baggage("tenant")))  # noqa: E731, E501
        for ask in (look, cctx.wrap(look)):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
    assert seen[0][0] is trace.INVALID_SPAN and seen[1] == (outer, "acme")


def test_other_request_inside_has_its_own_trace(tracer):
    with tracer.start_as_current_span("outer") as outer:
        with cctx.request(parent=cctx.extract(HEADERS)):
            with tracer.start_as_current_span("inner") as inner:
                assert ids_of(inner)[0] == TRACE
            assert trace.get_current_span().get_span_context().is_remote
        assert trace.get_current_span() is outer


def test_context_without_a_span_hides_the_trace(tracer):
    with cctx.use(cctx.extract(HEADERS)):
        token = context.attach(context.Context())
        assert context.get_current() == {} and ids() == (None, None)
        assert "traceparent" not in cctx.inject({})
        context.detach(token)
        assert ids() == (TRACE, SPAN)


@pytest.mark.parametrize("bad", [{"trace_id": "x"}, {"trace_id": 7}, {"span_id": "0" * 16},
                                 {"trace_id": []}])  # fmt: skip
def test_what_is_no_trace_is_no_parent(bad, tracer):
    given = cctx.background().with_values({"trace_id": TRACE, "span_id": SPAN, **bad})
    with cctx.use(given), tracer.start_as_current_span("root") as span:
        assert span.parent is None


def test_tasks_see_their_own_spans(tracer):
    async def work():
        with tracer.start_as_current_span("work") as span:
            await asyncio.sleep(0)
            assert trace.get_current_span() is span and ids() == ids_of(span)
            return span.parent.span_id

    async def main():
        with tracer.start_as_current_span("outer") as outer:
            parents = await asyncio.gather(work(), work(), work())
            assert set(parents) == {outer.get_span_context().span_id}
            assert trace.get_current_span() is outer

    asyncio.run(main())


def out_of_order(runtime, base):
    said = []
    tokens = [runtime.attach(context.Context({"n": n})) for n in range(3)]
    for which in (1, 0, 2):
        runtime.detach(tokens[which])
        said.append(runtime.get_current().get("n"))
    return said


@pytest.mark.parametrize("headers", [{}, HEADERS])
def test_detach_out_of_order_gives_what_the_reference_gives(runtime, headers):
    with cctx.use(cctx.extract(headers)):
        ours = contextvars.copy_context().run(out_of_order, runtime, headers)
    reference = contextvars.copy_context().run(
        out_of_order, ContextVarsRuntimeContext(), headers
    )
    assert ours == reference == [0, None, 1]


def misuse(runtime):
    """What detaching goes wrong with, and what is current after each."""
    token = runtime.attach(context.Context({"n": 1}))
    said = []

    def attempt():
        try:
            runtime.detach(token)
        except (ValueError, RuntimeError) as error:
            said.append(type(error))
        said.append(runtime.get_current().get("n"))

    contextvars.copy_context().run(attempt)  # as in another task
    said.append(runtime.get_current().get("n"))
    attempt()
    attempt()
    return said


def test_detach_elsewhere_or_twice_fails_as_the_reference_does(runtime):
    reference = contextvars.copy_context().run(misuse, ContextVarsRuntimeContext())
    assert contextvars.copy_context().run(misuse, runtime) == reference
    assert reference == [ValueError, 1, 1, None, RuntimeError, None]
