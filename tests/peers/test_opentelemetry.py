# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry for Python: where it reads a field as cctx does, and where on purpose not.

The quirks are listed in docs/carrier.md. One that a later version mends is no failure."""

import json
import logging
import pathlib
import string

import cctx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
pytest.importorskip("opentelemetry.propagators.b3", reason="its B3 is not installed")
pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from opentelemetry import baggage, trace  # noqa: E402
from opentelemetry.baggage.propagation import W3CBaggagePropagator  # noqa: E402
from opentelemetry.context import Context  # noqa: E402
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.trace.propagation.tracecontext import (  # noqa: E402
    TraceContextTextMapPropagator,
)

pytestmark = pytest.mark.usefixtures("unsanitized")

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
W3C, BAGGAGE = TraceContextTextMapPropagator(), W3CBaggagePropagator()
often = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# What it reads otherwise, by the vectors' names.
QUIRKS = {
    "traceparent": {
        "unknown flags are not",  # it keeps all eight
        "refused: two headers",  # it takes the first
    },
    "tracestate": {
        "at signs anywhere but first",  # the grammar of level 1
        "of two with one key the first",  # it drops all
        "over 4096 characters large members are left out, from the right",  # it has no bound
    },
    "b3": {
        "debug",  # sampled
        "deferred",  # one header: sampled
        "several headers: deferred",  # several: not
        "several headers: debug",
        "sampling alone: no",  # nothing without ids
        "sampling alone: yes",
        "sampling alone: debug",
        "several headers: sampling alone",
        "one header wins",
        "one that is malformed does not",  # it reads either the one header or the several
        "several headers: one header wins",
        "several headers: one that is malformed does not",
        "refused: upper case",
        "refused: an unknown word",  # not sampled
        "refused: a hyphen at the end",
        "refused: a parent of 15 digits",
        "several headers: refused: sampled maybe",
        "several headers: refused: two of one",
    },
    "baggage": {
        "properties are left out",  # they stay in the value
        "a plus is a plus",  # it is a blank
        "names are not decoded",
        "several headers are one",  # it takes the first
        "refused, and its neighbours are not: half an escape",  # it stays as it is
        "refused, and its neighbours are not: no escape",
        "8192 bytes",  # 4096 for one member
        "refused: a header that is too much with those before",
    },
}


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def readings(stem):
    for vector in json.loads((VECTORS / f"{stem}.json").read_text())["vectors"]:
        ours = vector.get("policy", {}).keys() - {"read", "write"}
        if "extract" in vector and not ours:
            fields = {name.lower(): value for name, value in vector["extract"].items()}
            yield vector["name"], fields, vector["gives"]


def their_trace(propagator, fields):
    span = trace.get_current_span(propagator.extract(fields, Context()))
    context = span.get_span_context()
    if not context.is_valid:
        return {}
    found = {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "trace_flags": int(context.trace_flags),
    }
    if context.trace_state:
        found["tracestate"] = context.trace_state.to_header()
    return found


def their_b3(fields):
    return their_trace(B3SingleFormat() if "b3" in fields else B3MultiFormat(), fields)


def our_trace(ctx):
    names = ("trace_id", "span_id", "trace_flags", "tracestate")
    return {name: ctx.value(name) for name in names if ctx.value(name) is not None}


READERS = {
    "traceparent": lambda fields: their_trace(W3C, fields),
    "tracestate": lambda fields: their_trace(W3C, fields),
    "b3": their_b3,
    "baggage": lambda fields: dict(baggage.get_all(BAGGAGE.extract(fields, Context()))),
}


@pytest.mark.parametrize("stem", READERS)
def test_it_reads_a_field_as_we_do_but_for_known_quirks(stem):
    names, differ = set(), set()
    for name, fields, gives in readings(stem):
        names.add(name)
        said = READERS[stem](fields)
        if said != gives["metadata" if stem == "baggage" else "values"]:
            differ.add(name)
    assert differ <= QUIRKS[stem]
    assert len(names) > 2 * len(differ & names) or stem == "b3"


# ---- What one side writes the other reads ------------------------------------------------

names = st.text(string.ascii_letters + string.digits + "_.-~", min_size=1, max_size=40)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
pairs = st.dictionaries(names, values, max_size=20)
trace_ids = st.integers(1, 2**128 - 1)
span_ids = st.integers(1, 2**64 - 1)


@often
@given(pairs)
def test_it_reads_the_baggage_that_we_write(metadata):
    fields = cctx.inject({}, cctx.background().with_metadata(metadata))
    theirs = dict(baggage.get_all(BAGGAGE.extract(fields, Context())))
    assert theirs == {name: value.strip() for name, value in metadata.items()}  # a quirk


@often
@given(pairs)
def test_we_read_the_baggage_that_it_writes(metadata):
    context, fields = Context(), {}
    for name, value in metadata.items():
        context = baggage.set_baggage(name.replace("~", "-"), value, context)
    BAGGAGE.inject(fields, context)
    policy = cctx.Policy(plus_is_blank=True)
    ctx = cctx.extract(fields, policy=policy)
    assert dict(ctx.metadata_map) == dict(baggage.get_all(context))
    assert policy.counts["malformed"] == 0


def their_context(trace_id, span_id, flags):
    span = trace.SpanContext(
        trace_id, span_id, True, trace.TraceFlags(flags), trace.TraceState([("a", "1")])
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(span), Context())


@often
@given(trace_ids, span_ids, st.integers(0, 1))
def test_a_trace_goes_both_ways(trace_id, span_id, flags):
    for propagator, policy in (
        (W3C, cctx.Policy()),
        (B3SingleFormat(), cctx.Policy(read=["b3"], write=["b3"])),
        (B3MultiFormat(), cctx.Policy(read=["b3-multi"], write=["b3-multi"])),
    ):
        fields = {}
        propagator.inject(fields, their_context(trace_id, span_id, flags))
        ctx = cctx.extract(fields, policy=policy)
        assert int(ctx.value("trace_id"), 16) == trace_id
        assert int(ctx.value("span_id"), 16) == span_id
        assert ctx.value("trace_flags") == flags
        assert their_trace(propagator, cctx.inject({}, ctx, policy=policy)) == our_trace(ctx)


header = st.text("0123456789abcdefABCDEF-, \t.x", max_size=70)


@often
@given(st.one_of(header, header.map(lambda tail: f"00-{'1' * 32}-{'2' * 16}-{tail}")))
def test_it_takes_and_refuses_the_same_traceparents(text):
    ours = our_trace(cctx.extract({"traceparent": text}))
    theirs = their_trace(W3C, {"traceparent": text})
    theirs.update({"trace_flags": theirs["trace_flags"] & 3} if theirs else {})
    assert ours == theirs


def test_a_span_of_its_sdk_is_a_child_of_what_we_pass_on():
    tracer = TracerProvider().get_tracer("test")
    incoming = f"00-{'1' * 32}-{'2' * 16}-01"
    ctx = cctx.extract({"traceparent": incoming, "tracestate": "a=1"})
    with tracer.start_as_current_span("work", W3C.extract(cctx.inject({}, ctx), Context())) as span:
        assert span.parent.span_id == 0x2222222222222222
        assert span.get_span_context().trace_state.to_header() == "a=1"
        inside = ctx.with_value("span_id", f"{span.get_span_context().span_id:016x}")
    sent = cctx.inject({}, inside)["traceparent"]
    assert sent == f"00-{'1' * 32}-{span.get_span_context().span_id:016x}-01"
