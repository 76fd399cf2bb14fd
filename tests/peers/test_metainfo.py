# SPDX-License-Identifier: Apache-2.0
"""CloudWeGo's metainfo for Go, live: each side checks what the other sent."""

import json
import os
import pathlib
import shutil
import subprocess

import cctx
import pytest

pytestmark = pytest.mark.usefixtures("unsanitized")

SOURCE = pathlib.Path(__file__).parent / "go"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not shutil.which("go"):
        pytest.skip("there is no Go here")
    path = tmp_path_factory.mktemp("go") / "peer"
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    built = subprocess.run(
        ["go", "build", "-o", str(path), "."], cwd=SOURCE, env=env, capture_output=True, text=True
    )
    if built.returncode != 0:
        reason = built.stderr.strip().splitlines()[-1:]
        pytest.skip(f"tests/peers/go does not build: {' '.join(reason)}")
    return path


@pytest.fixture
def ask(program):
    def ask(fields, finds, sets=((), ()), http=False):
        names = ("persist", "transit")
        question = {"http": http, "fields": fields}
        question["finds"] = dict(zip(names, map(dict, finds)))
        question["sets"] = dict(zip(names, map(dict, sets)))
        done = subprocess.run(
            [program], input=json.dumps(question) + "\n", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def context(persist=(), transit=()):
    ctx = cctx.background().with_metadata(dict(persist))
    return ctx.with_metadata(dict(transit), scope="hop") if transit else ctx


def metadata(ctx):
    return {(name, value, scope) for name, value, scope in ctx.metadata_pairs()}


def test_over_maps_names_and_scopes_survive_the_way_there_and_back(ask):
    persist, transit = {"tenant": "acme", "My-Key_x": "caf\xe9 ;"}, {"token": "t"}
    fields = cctx.inject({}, context(persist, transit), format="metainfo-map")
    fields = ask(fields, (persist, transit), ({"c": "3"}, {"d": "4"}))
    back = cctx.extract(fields, format="metainfo-map")
    assert metadata(back) == {
        ("tenant", "acme", "request"),
        ("My-Key_x", "caf\xe9 ;", "request"),
        ("c", "3", "request"),
        ("d", "4", "upstream"),  # and not token: that was for one hop
    }
    onwards = cctx.inject({}, back, format="metainfo-map")
    ask(onwards, ({**persist, "c": "3"}, {}))


def test_over_http_upper_snake_survives_the_way_there_and_back(ask):
    policy = cctx.Policy("metainfo")
    persist, transit = {"TENANT": "acme", "MY_KEY": "caf\xe9"}, {"TOKEN": "t"}
    fields = cctx.inject({}, context(persist, transit), policy=policy)
    fields = ask(fields, (persist, transit), ({"C": "3"}, {"D": "4"}), http=True)
    back = cctx.extract(fields, policy=policy)
    # Its ToHTTPHeader sends on what was for one hop: a quirk.
    assert metadata(back) - {("TOKEN", "t", "upstream")} == {
        ("TENANT", "acme", "request"),
        ("MY_KEY", "caf\xe9", "request"),
        ("C", "3", "request"),
        ("D", "4", "upstream"),
    }


def test_other_names_come_back_as_upper_snake_from_both(ask):
    policy = cctx.Policy("metainfo")
    fields = cctx.inject({}, context({"My-key": "1", "other_key": "2"}), policy=policy)
    finds = {"MY_KEY": "1", "OTHER_KEY": "2"}
    ask(fields, (finds, {}), http=True)
    assert dict(cctx.extract(fields, policy=policy).metadata_map) == finds


def test_a_name_that_it_would_take_for_anothers_is_not_sent(ask):
    fields = cctx.inject({}, context({}, {"UPSTREAM_x": "1", "y": "2"}), format="metainfo-map")
    ask(fields, ({}, {"y": "2"}))
    # Its own senders do: what they call UPSTREAM_x is read as x here and there.
    theirs = ask({}, ({}, {}), ({}, {"UPSTREAM_x": "1"}))
    assert theirs == {"RPC_TRANSIT_UPSTREAM_x": "1"}
    there = cctx.extract(theirs, format="metainfo-map")
    assert metadata(there) == {("x", "1", "upstream")}


def test_what_a_header_cannot_hold_neither_sends(ask):
    policy = cctx.Policy("metainfo")
    odd = {"A": "x\r\ny", "B": "1"}
    assert ask({}, ({}, {}), (odd, {}), http=True) == {"rpc-persist-b": "1"}
    assert cctx.inject({}, context(odd), policy=policy) == {"rpc-persist-b": "1"}


def test_a_hundred_keys_are_exchanged(ask):
    many = {f"key_{i}": str(i) * 10 for i in range(100)}
    fields = cctx.inject({}, context(many), format="metainfo-map")
    back = cctx.extract(ask(fields, (many, {})), format="metainfo-map")
    assert dict(back.metadata_map) == many
