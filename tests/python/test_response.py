# SPDX-License-Identifier: Apache-2.0
"""Responses: metadata that goes back to the caller."""

import asyncio
import gc
import threading

import cctx
import pytest


def pairs(ctx):
    return [(name, value) for name, value, _ in ctx.response().metadata_pairs()]


def test_handler_sets_what_the_host_reads():
    """S41: wherever it is."""

    def handler():
        assert cctx.response_set("cost", "3")
        with cctx.use(cctx.current().with_timeout(1)):
            assert cctx.response_set({"shard": "eu", "cost": "4"})
        assert cctx.response_set([("from", "items")])
        assert cctx.response().metadata("cost") == "4"

    with cctx.request(response=True) as ctx:
        assert pairs(ctx) == []
        handler()
        assert pairs(ctx) == [("cost", "4"), ("shard", "eu"), ("from", "items")]
        assert ctx.metadata_pairs() == []
        assert ctx.response().metadata_pairs("hop") == ctx.response().metadata_pairs()


def test_where_nobody_takes_a_response_none_is_set(root):
    assert cctx.response_set("a", "1") is False
    assert root.with_response().response_set("a", "1") is False
    assert root.response_receive("a", "1") is False
    with cctx.request() as ctx:
        assert cctx.response_set("a", "1") is False
        assert pairs(ctx) == []


def test_what_is_received_never_mixes_with_what_is_set():
    """S42: the answer of another side is not one's own."""
    with cctx.request(response=True) as ctx:
        assert ctx.response_receive("inner", "0") is False
        with cctx.use(ctx.with_response()) as call:
            assert cctx.response_receive("inner", "1")
            assert cctx.response_set("own", "2")
        assert pairs(call) == [("inner", "1")]
        assert pairs(ctx) == [("own", "2")]


def test_two_calls_never_mix(root):
    """S42: each has its own."""
    one, two = root.with_response(), root.with_response()
    within = one.with_cancel().with_response()
    for ctx, value in ((one, "1"), (two, "2"), (within, "3")):
        assert ctx.response_receive("from", value)
    assert [pairs(c) for c in (one, two, within)] == [[("from", v)] for v in "123"]


def test_request_inside_another_finds_only_its_own():
    with cctx.request(response=True) as outer:
        with cctx.request(parent=outer.with_response()) as inner:
            assert inner.response_set("a", "1") is False
            assert inner.response_receive("a", "1") is False
        with cctx.request(parent=outer, response=True) as inner:
            assert inner.response_set("a", "1")
        assert pairs(outer) == []


def test_late_pairs_go_nowhere():
    """S43: and are told so; the next request sees none."""
    with cctx.request(response=True) as first:
        kept, call = first.with_cancel(), first.with_response()
        assert kept.response_set("in", "time")
    with cctx.request(response=True) as second:
        assert kept.response_set("late", "1") is False
        assert call.response_receive("late", "1") is False
        assert pairs(second) == []
    assert pairs(kept) == [("in", "time")]


def test_ended_response_is_read_and_not_set():
    """S43: the host answers before the request ends."""
    with cctx.request(response=True) as ctx:
        assert ctx.response_set("a", "1")
        assert ctx.response_end() is True
        assert ctx.response_end() is False
        assert ctx.response_set("a", "2") is False
        assert pairs(ctx) == [("a", "1")]


def test_only_whoever_has_a_response_ends_it(root):
    with cctx.request(response=True) as ctx:
        for other in (root, ctx.with_cancel()):
            with pytest.raises(ValueError, match="no response of its own"):
                other.response_end()
        assert ctx.response_set("a", "1")


@pytest.mark.parametrize(
    "policy, expected",
    [("last", "a=3 b=2"), ("first", "a=1 b=2"), ("append", "a=1, 3 b=2")],
)
def test_answers_merge_as_the_caller_wants(root, policy, expected):
    """S44: a retry, or several answers to one call."""
    call = root.with_response(policy=policy)
    assert call.response_receive("a", "1")
    assert call.response_receive({"b": "2", "a": "3"})
    assert " ".join(f"{n}={v}" for n, v in pairs(call)) == expected


def test_unknown_policy_is_refused(root):
    with pytest.raises(ValueError, match="'last', 'first' or 'append'"):
        root.with_response("newest")
    with pytest.raises(TypeError, match="policy"):
        root.with_response(1)


def test_bad_pairs_are_refused_by_name_and_change_nothing(root):
    call = root.with_response("append")
    assert call.response_receive("a", "1")
    with pytest.raises(ValueError, match="'not a name' cannot be a metadata name"):
        call.response_receive({"a": "2", "not a name": "3"})
    with pytest.raises(ValueError, match="'a' is over the budget"):
        call.response_receive("a", "x" * 16384)
    with pytest.raises(TypeError, match="a str for a str"):
        call.response_receive("a", None)
    with pytest.raises(TypeError, match="metadata must be a mapping, or items"):
        call.response_receive("a")
    assert pairs(call) == [("a", "1")]


def test_what_was_read_stays_as_it_was(root):
    call = root.with_response()
    assert call.response_receive("a", "1")
    read = call.response()
    assert call.response_receive("a", "2")
    assert read.metadata("a") == "1"
    assert read.deadline() is None and not read.can_be_done()


def test_detached_context_has_no_response():
    with cctx.request(response=True) as ctx:
        assert ctx.detached().response_set("a", "1") is False


def test_tasks_and_threads_set_at_once():
    async def work(i):
        assert cctx.response_set(f"task{i}", str(i))

    async def serve():
        async with cctx.request(response=True) as ctx:
            await asyncio.gather(*(work(i) for i in range(20)))
            threads = [
                threading.Thread(target=ctx.run, args=(cctx.response_set, f"t{i}", "v"))
                for i in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return dict(pairs(ctx))

    got = asyncio.run(serve())
    assert set(got) == {f"task{i}" for i in range(20)} | {f"t{i}" for i in range(4)}


def test_responses_leave_nothing_behind(root):
    gc.collect()
    before = cctx.alive()
    for _ in range(50):
        with cctx.request(response=True) as ctx:
            call = ctx.with_response()
            call.response_receive("a", "1")
            ctx.response_set("b", call.response().metadata("a"))
            read = ctx.response()
    del ctx, call, read
    gc.collect()
    assert cctx.alive() == before
