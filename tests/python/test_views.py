# SPDX-License-Identifier: Apache-2.0
"""Views: the values and the metadata of a context as mappings."""

from collections.abc import Mapping

import cctx
import pytest

SECRET: "cctx.Key[str]" = cctx.Key("view password", secret=True)


def test_values_are_a_mapping_of_what_is_visible(root):
    hidden = root.with_value("a", "hidden").with_value("b", [2])
    view = hidden.with_cancel().with_value("a", 1).values
    assert isinstance(view, Mapping)
    assert dict(view) == {"a": 1, "b": [2]}
    assert (len(view), view["a"], view.get("c")) == (2, 1, None)
    assert "b" in view and "c" not in view and 1 not in view
    assert view == {"a": 1, "b": [2]}


def test_values_come_nearest_first(root):
    assert list(root.with_value("a", 1).with_value("b", 2).values) == ["b", "a"]


def test_stored_none_is_in_the_view(root):
    """S6: it is a value."""
    view = root.with_value("a", None).values
    assert dict(view) == {"a": None}
    assert "a" in view


def test_values_of_the_background_are_none(root):
    assert (len(root.values), list(root.values), root.values) == (0, [], {})


def test_secret_values_are_in_no_view(root):
    view = root.with_value("a", 1).with_value(SECRET, "hunter2").values
    assert dict(view) == {"a": 1}
    assert len(view) == 1
    assert SECRET not in view
    with pytest.raises(KeyError):
        view[SECRET]
    assert repr(view) == "<cctx values {'view password': <secret>, 'a': 1}>"
    assert "hunter2" not in repr(view)


def test_who_names_a_secret_value_reads_it(root):
    ctx = root.with_value(SECRET, "hunter2")
    assert SECRET.get(ctx) == ctx.value("view password") == "hunter2"
    assert "hunter2" not in repr(ctx)


def test_value_that_is_absent_is_a_key_error(root):
    with pytest.raises(KeyError, match="'no'"):
        root.values["no"]
    with pytest.raises(KeyError, match="'no'"):
        root.metadata_map["no"]


def test_metadata_are_a_mapping_over_all_scopes(root):
    view = (
        root.with_metadata("a", "1", scope="upstream")
        .with_metadata("b", "2", scope="hop")
        .with_metadata("c", "3")
        .metadata_map
    )
    assert isinstance(view, Mapping)
    assert dict(view) == {"a": "1", "b": "2", "c": "3"}
    assert list(view) == ["a", "b", "c"]
    assert (len(view), view["b"], view.get("d", "none")) == (3, "2", "none")
    assert "c" in view and "d" not in view and 1 not in view
    assert repr(view) == "<cctx metadata {'a': '1', 'b': '2', 'c': '3'}>"


def test_metadata_of_a_name_are_in_the_view_once(root):
    view = root.with_metadata("a", "1").with_metadata("a", "2", scope="hop").metadata_map
    assert dict(view) == {"a": "2"}


def test_view_keeps_its_context(root):
    view = root.with_value("a", "kept").values
    assert dict(view) == {"a": "kept"}


@pytest.mark.parametrize("view", ["values", "metadata_map"])
def test_views_cannot_be_set(root, view):
    with pytest.raises(AttributeError):
        setattr(root, view, {})
    with pytest.raises(TypeError):
        getattr(root, view)["a"] = 1
