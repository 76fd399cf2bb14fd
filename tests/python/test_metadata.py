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


# ---- Scopes, and taking out ------------------------------------------------------------


def in_three_scopes(root):
    return root.with_metadata(
        [("h", "1", "hop"), ("r", "2"), ("u", "3", "upstream"), ("h2", "4", "hop")]
    )


def test_scope_of_a_name_is_told(root):
    """S45: and a look-up can ask one scope alone."""
    ctx = in_three_scopes(root)
    assert [ctx.metadata_scope(n) for n in ("h", "r", "u", "none")] == [
        "hop",
        "request",
        "upstream",
        None,
    ]
    assert ctx.metadata("h", scope="hop") == "1"
    assert ctx.metadata("h", scope="request") is None
    assert ctx.metadata("h", 0, "upstream") == 0
    assert ctx.metadata("h", scope=None) == "1"
    assert ctx.metadata("none", 0, scope="hop") == 0
    ctx = ctx.with_metadata("h", "5")
    assert (ctx.metadata("h", scope="hop"), ctx.metadata("h", scope="request")) == (None, "5")


def test_pairs_of_one_scope(root):
    ctx = in_three_scopes(root)
    assert ctx.metadata_pairs("hop") == [("h", "1", "hop"), ("h2", "4", "hop")]
    assert ctx.metadata_pairs(scope="upstream") == [("u", "3", "upstream")]
    assert ctx.metadata_pairs(None) == ctx.metadata_pairs()
    assert root.metadata_pairs("hop") == []


@pytest.mark.parametrize("scope", ["Hop", "", "stale", "\ud800"], ids=ascii)
def test_unknown_scope_is_refused_by_every_reader(root, scope):
    for ask in (
        lambda: root.metadata("k", scope=scope),
        lambda: root.metadata_pairs(scope),
        lambda: root.with_metadata([("k", "v", scope)]),
    ):
        with pytest.raises(ValueError, match="scope"):
            ask()
    with pytest.raises(TypeError, match="scope"):
        root.metadata("k", scope=1)


def test_name_that_cannot_be_has_no_scope(root):
    assert root.metadata_scope("a\0b") is None
    assert root.metadata_scope("") is None
    with pytest.raises(TypeError):
        root.metadata_scope(1)


def test_pairs_may_be_given_as_they_are_read(root):
    ctx = in_three_scopes(root)
    copied = root.with_metadata(ctx.metadata_pairs())
    assert copied.metadata_pairs() == ctx.metadata_pairs()
    assert root.with_metadata(iter([("a", "1")]), scope="hop").metadata_scope("a") == "hop"
    assert root.with_metadata([("a", "1"), ("a", "2")]).metadata_pairs() == [
        ("a", "2", "request")
    ]
    assert root.with_metadata(()).metadata_pairs() == []


@pytest.mark.parametrize(
    "odd",
    [["a"], [("a",)], [("a", "1", "hop", "x")], [["a", "1"]], ["ab"], [None], [()]],
    ids=repr,
)
def test_odd_items_are_refused(root, odd):
    with pytest.raises(TypeError, match="an item of metadata must be"):
        root.with_metadata([("good", "1"), *odd])


@pytest.mark.parametrize("what", ["ab", b"ab", 1, None], ids=repr)
def test_what_is_no_mapping_and_no_items_is_refused(root, what):
    with pytest.raises(TypeError, match="metadata must be a mapping, or items"):
        root.with_metadata(what)


def test_refused_item_is_named(root):
    with pytest.raises(ValueError, match="'not a name' cannot be"):
        root.with_metadata([("good", "1"), ("not a name", "2")])
    with pytest.raises(TypeError, match="a str for a str"):
        root.with_metadata([("good", "1"), ("none", None)])


def test_name_is_taken_out_of_whatever_scope(root):
    """S46: and no other copy is left."""
    ctx = in_three_scopes(root)
    for name in ("h", "r", "u"):
        less = ctx.without_metadata(name)
        assert less.metadata(name) is None
        assert less.metadata_scope(name) is None
        assert [n for n, _, _ in less.metadata_pairs()] == [
            n for n in ("h", "r", "u", "h2") if n != name
        ]
        assert ctx.metadata(name) is not None


def test_without_all_names_there_is_no_metadata(root):
    ctx = in_three_scopes(root).without_metadata("h", "u", "r", "absent", "h2", "h")
    assert ctx.metadata_pairs() == []
    assert not ctx.metadata_map
    assert ctx.with_metadata("r", "1").metadata_pairs() == [("r", "1", "request")]
    assert ctx.without_metadata().metadata_pairs() == []


def test_name_that_cannot_be_is_not_taken_out(root):
    for name in ("a b", "", "a\0b"):
        with pytest.raises(ValueError, match="cannot be a metadata name"):
            root.without_metadata("good", name)
    with pytest.raises(TypeError, match="metadata name"):
        root.without_metadata("good", 1)


def test_siblings_do_not_see_each_other(root):
    parent = root.with_metadata("a", "1")
    left, right = parent.with_metadata("b", "2"), parent.with_metadata("c", "3")
    assert [n for n, _, _ in left.metadata_pairs()] == ["a", "b"]
    assert [n for n, _, _ in right.metadata_pairs()] == ["a", "c"]


def test_flat_readers_know_scopes(root):
    with cctx.use(in_three_scopes(root)):
        assert cctx.metadata_scope("h") == "hop"
        assert cctx.metadata("h", scope="request") is None
        assert cctx.metadata_pairs("upstream") == [("u", "3", "upstream")]
    assert cctx.metadata_scope("h") is None
