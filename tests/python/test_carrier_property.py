# SPDX-License-Identifier: Apache-2.0
"""Round trips of any context through each format that keeps all of it."""

import cctx
import cctx.testing
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SENT = {"hop": "upstream", "request": "request"}
often = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
names = st.text(TOKEN, min_size=1, max_size=40)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
bags = st.dictionaries(names, st.tuples(texts, st.sampled_from(sorted(SENT))), max_size=20)


def context(bag):
    ctx = cctx.background()
    for name, (value, scope) in bag.items():
        ctx = ctx.with_metadata(name, value, scope)
    return ctx


def metadata(ctx):
    return {name: (value, scope) for name, value, scope in ctx.metadata_pairs()}


def through(ctx, policy):
    again = cctx.extract(cctx.inject({}, ctx, policy=policy), policy=policy)
    assert policy.counts["malformed"] == policy.counts["too_big"] == 0
    return again


@often
@given(bags)
def test_all_metadata_comes_through_cctx_metadata(bag):
    policy = cctx.Policy(read=["cctx-metadata"], write=["cctx-metadata"])
    again = through(context(bag), policy)
    assert metadata(again) == {name: (v, SENT[scope]) for name, (v, scope) in bag.items()}
    assert policy.counts["unsendable"] == 0


@often
@given(bags)
def test_what_is_one_line_comes_through_metainfo_of_maps(bag):
    again = through(context(bag), cctx.Policy("metainfo-map"))
    assert metadata(again) == {
        name: (value, SENT[scope])
        for name, (value, scope) in bag.items()
        if value
        and not set(value) & set("\r\n\0")
        and not (scope == "hop" and name.startswith("UPSTREAM_"))
    }


@often
@given(bags)
def test_of_metainfo_over_http_nothing_comes_that_was_not_sent(bag):
    sent = {(name.upper().replace("-", "_"), v, SENT[scope]) for name, (v, scope) in bag.items()}
    again = through(context(bag), cctx.Policy("metainfo"))
    assert {(name, *rest) for name, rest in metadata(again).items()} <= sent


@often
@given(bags)
def test_what_is_for_every_hop_comes_through_baggage(bag):
    again = through(context(bag), cctx.Policy())
    assert metadata(again) == {name: one for name, one in bag.items() if one[1] == "request"}


@often
@given(st.integers(1, 2**62), st.sampled_from(["grpc-timeout", "cctx-expires", "timeout"]))
def test_a_deadline_comes_through_no_earlier_and_hardly_later(ns, field):
    cctx.testing.clock_set(0)
    policy = cctx.Policy(
        read=[field], write=[field], timeout_field=("x-timeout", 1, 9), wall=1700000000
    )
    left = cctx.background().with_timeout(ns / 1e9).remaining()
    again = through(cctx.background().with_timeout(ns / 1e9), policy).remaining()
    step = {"cctx-expires": 1e-3, "timeout": 2e-9}.get(field, max(1e-8, left * 1e-5))
    assert left - 1e-9 <= again <= left + step or left > 9e9
    cctx.testing.clock_set(None)


# What a stranger may send: anything, under any name that is looked for.
FIELDS = """traceparent tracestate baggage b3 x-b3-traceid x-b3-spanid x-b3-sampled x-b3-flags
    grpc-timeout connect-timeout-ms cctx-expires cctx-deadline rpc-persist-a rpc-transit-a
    RPC_PERSIST_a RPC_TRANSIT_UPSTREAM_a cctx-persist-a cctx-transit-.a""".split()
EVERY = ["traceparent", "b3", "b3-multi", "baggage", "metainfo", "metainfo-map"]
EVERY += ["cctx-metadata", "grpc-timeout", "connect-timeout-ms", "cctx-deadline", "cctx-expires"]
strings = st.one_of(st.text(max_size=80), st.text("01-=,;%dab. ", max_size=80), st.binary())


@often
@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(strings, st.lists(strings))))
def test_whatever_comes_is_passed_on_as_what_it_was_read_as(carrier):
    write = [field for field in EVERY if field != "metainfo"]  # which changes names
    policy = cctx.Policy(read=EVERY, write=write, wall=1700000000)
    ctx = cctx.extract(carrier, policy=policy)
    if ctx.err():
        return
    again = cctx.extract(cctx.inject({}, ctx, policy=policy), policy=policy)
    for name in ("trace_id", "span_id"):
        assert again.value(name) == ctx.value(name)
    kept = {name for name, one in metadata(ctx).items() if one[1] == "request"}
    assert set(metadata(again)) == kept
