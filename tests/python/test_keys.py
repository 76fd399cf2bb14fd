# SPDX-License-Identifier: Apache-2.0
"""Keys: names of values with a type and a default."""

import copy
import pickle

import cctx
import pytest

TENANT: "cctx.Key[str]" = cctx.Key("tenant", default="nobody")
BARE: "cctx.Key[int]" = cctx.Key("bare")


def test_key_reads_the_current_context(root):
    with cctx.use(root.with_value("tenant", "acme")):
        assert TENANT.get() == "acme"
    assert TENANT.get() == "nobody"


def test_key_reads_the_context_it_is_given(root):
    with cctx.use(root.with_value("tenant", "acme")):
        assert TENANT.get(root) == "nobody"
    assert TENANT.get(root.with_value("tenant", "acme")) == "acme"


def test_stored_none_is_a_value_and_not_the_default(root):
    """S6: for a key too."""
    assert TENANT.get(root.with_value(TENANT, None)) is None


def test_key_without_a_value_and_a_default_raises(root):
    with pytest.raises(LookupError, match="no value for cctx.Key.'bare'., and it has no"):
        BARE.get()
    assert BARE.get(root.with_value(BARE, 0)) == 0


def test_key_is_taken_wherever_a_name_is(root):
    ctx = root.with_value(TENANT, "acme").with_values({BARE: 1})
    assert (ctx.value(TENANT), ctx.value("tenant"), ctx.value("bare")) == ("acme", "acme", 1)
    with cctx.use(ctx):
        assert cctx.value(TENANT) == "acme"


def test_keys_of_one_name_are_one_key(root):
    """S7: in C and Lua as well."""
    again = cctx.Key("tenant")
    assert again == TENANT == "tenant"
    assert hash(again) == hash("tenant")
    assert again.get(root.with_value(TENANT, "acme")) == "acme"


def test_key_shows_its_name():
    assert repr(TENANT) == "cctx.Key('tenant')"
    assert f"{TENANT}" == "tenant"


def test_copies_of_a_key_have_its_default():
    for again in (copy.deepcopy(TENANT), pickle.loads(pickle.dumps(TENANT))):
        assert again == TENANT
        assert again.get() == "nobody"
    with pytest.raises(LookupError):
        pickle.loads(pickle.dumps(BARE)).get()


def test_key_is_generic():
    assert cctx.Key[str]("tenant") == TENANT


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: cctx.Key(1), TypeError, "name must be a str, not int"),
        (lambda: cctx.Key(""), ValueError, "cannot be a key"),
        (lambda: cctx.Key("a\0b"), ValueError, "cannot be a key"),
        (lambda: cctx.Key("x" * 256), ValueError, "cannot be a key"),
        (lambda: cctx.Key("tenant", secret=1), TypeError, "secret must be a bool, not int"),
        (lambda: TENANT.get("tenant"), TypeError, "context must be a cctx.Context or None"),
    ],
)
def test_key_refuses_bad_input(call, error, text):
    with pytest.raises(error, match=text):
        call()
