# SPDX-License-Identifier: Apache-2.0
"""Metadata: str for str, in three scopes, within a budget."""

import cctx
import pytest


class Name(str):
    pass


def test_pair_is_read_below_and_not_above(root):
    ctx = root.with_metadata("tenant", "acme").with_cancel()
    assert ctx.metadata("tenant") == "acme"
    assert root.metadata("tenant") is None
    assert root.metadata("tenant", default=0) == 0


@pytest.mark.parametrize(
    "value", ["", "a\0b", "gr\u00fc\u00df", "\U0001f600", " \r\n"], ids=ascii
)
def test_value_may_be_any_text(root, value):
    assert root.with_metadata("k", value).metadata("k") == value


def test_empty_value_is_not_absence(root):
    assert root.with_metadata("k", "").metadata("k", "default") == ""


def test_case_of_a_name_matters(root):
    ctx = root.with_metadata("Tenant", "a")
    assert ctx.metadata("tenant") is None
    assert ctx.metadata(Name("Tenant")) == "a"


def test_setting_in_one_scope_removes_from_the_others(root):
    """S9: so that look-up finds the last that was said."""
    hop = root.with_metadata("k", "h", "hop")
    request = hop.with_metadata("k", "r")
    upstream = request.with_metadata("k", "u", scope="upstream")
    assert [ctx.metadata("k") for ctx in (hop, request, upstream)] == ["h", "r", "u"]
    assert hop.metadata_pairs() == [("k", "h", "hop")]
    assert request.metadata_pairs() == [("k", "r", "request")]
    assert upstream.metadata_pairs() == [("k", "u", "upstream")]


def test_look_up_finds_a_name_in_every_scope(root):
    """S9: hop, request, upstream."""
    ctx = root
    for scope in ("upstream", "request", "hop"):
        ctx = ctx.with_metadata("in-" + scope, scope, scope=scope)
    assert [ctx.metadata("in-" + s) for s in ("hop", "request", "upstream")] == [
        "hop",
        "request",
        "upstream",
    ]


def test_pairs_stand_in_the_order_of_first_setting(root):
    ctx = root.with_metadata({"b": "1", "a": "2"}).with_metadata("c", "3", "hop")
    ctx = ctx.with_metadata("b", "4")
    assert ctx.metadata_pairs() == [
        ("b", "4", "request"),
        ("a", "2", "request"),
        ("c", "3", "hop"),
    ]
    assert root.metadata_pairs() == []


def test_pairs_are_a_list_of_ones_own(root):
    ctx = root.with_metadata("a", "1")
    ctx.metadata_pairs().clear()
    assert ctx.metadata_pairs() == [("a", "1", "request")]


def test_mapping_sets_all_pairs_in_one_scope(root):
    ctx = root.with_metadata({"a": "1", "b": "2"}, scope="hop")
    assert {scope for _, _, scope in ctx.metadata_pairs()} == {"hop"}
    assert root.with_metadata({}).metadata_pairs() == []


def test_too_many_pairs_are_refused_and_nothing_is_lost(root):
    """S10: the 257th pair."""
    full = root.with_metadata({f"k{i}": "v" for i in range(256)})
    with pytest.raises(ValueError, match="'one-more' is over the budget of 256 pairs"):
        full.with_metadata("one-more", "v")
    assert len(full.metadata_pairs()) == 256
    assert full.with_metadata("k7", "new").metadata("k7") == "new"


def test_too_many_bytes_are_refused_and_nothing_is_lost(root):
    """S10: names and values count; the pair that went over is named."""
    ctx = root.with_metadata("k", "x" * 16383)
    for name, value in (("a", ""), ("k", "x" * 16384)):
        with pytest.raises(ValueError, match=f"'{name}' is over the budget .* 16384 bytes"):
            ctx.with_metadata(name, value)
    with pytest.raises(ValueError, match="'second' is over"):
        root.with_metadata({"first": "1", "second": "x" * 20000, "third": "3"})
    assert len(ctx.metadata("k")) == 16383
    assert ctx.with_metadata("k", "small").with_metadata("a", "1").metadata("a") == "1"


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a\0b", "a\n", "gr\u00fcn", "k" * 256], ids=ascii
)
def test_name_that_no_header_can_express_is_refused(root, name):
    with pytest.raises(ValueError, match="cannot be a metadata name"):
        root.with_metadata(name, "v")
    with pytest.raises(ValueError, match="cannot be a metadata name"):
        root.with_metadata({"good": "v", name: "v"})


@pytest.mark.parametrize("name", ["k" * 255, "!#$%&'*+-.^_`|~", "X-Request-Id9"])
def test_name_that_a_header_can_express_is_taken(root, name):
    assert root.with_metadata(name, "v").metadata(name) == "v"


@pytest.mark.parametrize(
    "name", ["", "a b", "a\0b", "k" * 300, "gr\u00fcn", "\ud800"], ids=ascii
)
def test_reading_a_name_that_cannot_be_gives_the_default(root, name):
    assert root.metadata(name, 0) == 0


@pytest.mark.parametrize(
    "name, value", [("k", 1), ("k", b"v"), (b"k", "v"), (1, "v"), ("k", None)]
)
def test_metadata_is_a_str_for_a_str(root, name, value):
    with pytest.raises(TypeError, match="a str for a str"):
        root.with_metadata(name, value)
    with pytest.raises(TypeError, match="a str for a str"):
        root.with_metadata({name: value})


def test_flat_readers_ask_the_current_context(root):
    with cctx.use(root.with_metadata("k", "v", "hop")):
        assert cctx.metadata("k") == "v"
        assert cctx.metadata_pairs() == [("k", "v", "hop")]
    assert cctx.metadata("k", default=1) == 1
    assert cctx.metadata_pairs() == []
