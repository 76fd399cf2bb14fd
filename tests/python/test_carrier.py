# SPDX-License-Identifier: Apache-2.0
"""Carriers in Python: mappings and pairs, policies, and what is no string."""

import email.message
import os
import pickle
import subprocess
import sys

import cctx
import cctx.testing
import pytest

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def make():
    """A context that has something of everything; the clock stands."""
    cctx.testing.clock_set(1000)
    ctx = cctx.extract({"traceparent": TRACEPARENT, "baggage": "tenant=acme"})
    return ctx.with_metadata("attempt", "2", "hop").with_timeout(2)


def test_what_is_injected_is_extracted():
    """S51: the trace, metadata of the request, the deadline."""
    ctx = make()
    again = cctx.extract(cctx.inject({}, ctx))
    assert again.value("trace_id") == TRACE_ID
    assert dict(again.metadata_map) == {"tenant": "acme"}
    assert again.deadline() == ctx.deadline()


def test_what_was_for_one_hop_goes_no_further():
    """S52: it arrives in scope upstream."""
    ctx = make()
    fields = cctx.inject({}, ctx, format="metainfo-map")
    assert fields == {"RPC_PERSIST_tenant": "acme", "RPC_TRANSIT_attempt": "2"}
    there = cctx.extract(fields, format="metainfo-map")
    assert ("attempt", "2", "upstream") in there.metadata_pairs()
    assert cctx.inject({}, there, format="metainfo-map") == {"RPC_PERSIST_tenant": "acme"}


def test_a_context_that_is_done_is_not_injected():
    """S53: and the carrier is as it was."""
    ctx = make()
    carrier = {"baggage": "a=1"}
    ctx = ctx.with_cancel()
    ctx.cancel("enough")
    with pytest.raises(cctx.Canceled, match="enough"):
        cctx.inject(carrier, ctx)
    with pytest.raises(cctx.DeadlineExceeded):
        cctx.inject(carrier, cctx.background().with_timeout(-1))
    assert carrier == {"baggage": "a=1"}
    assert cctx.inject(carrier, ctx.detached())["baggage"] == "tenant=acme"


def test_what_another_request_left_is_removed():
    """S54: in whatever case it stood there."""
    carrier = {"Traceparent": TRACEPARENT, "BAGGAGE": ["a=1"], "Accept": "x"}
    assert cctx.inject(carrier, cctx.background()) == {"Accept": "x"}


def test_a_policy_lists_and_renames():
    """S55: and counts the others."""
    ctx = make()
    policy = cctx.Policy(allow=["org", "app-*"], send=["org"], rename={"t": "org"})
    here = cctx.extract({"baggage": "t=acme,user=ada,app-x=1"}, policy=policy)
    assert dict(here.metadata_map) == {"org": "acme", "app-x": "1"}
    assert cctx.inject({}, here, policy=policy) == {"baggage": "t=acme"}
    counts = policy.counts
    assert (counts["not_allowed"], counts["withheld"]) == (1, 1)
    assert sum(counts.values()) == 2


def test_the_current_context_is_injected():
    ctx = make()
    with cctx.use(ctx):
        assert cctx.inject({}) == cctx.inject({}, ctx)
    assert cctx.inject({}) == {}


def test_a_parent_is_derived_from():
    ctx = make()
    child = cctx.extract({"baggage": "user=ada", "grpc-timeout": "1H"}, ctx)
    assert dict(child.metadata_map) == {"tenant": "acme", "attempt": "2", "user": "ada"}
    assert child.deadline() == ctx.deadline()
    assert cctx.extract({}, parent=ctx).metadata("tenant") == "acme"


def test_pairs_of_bytes_are_a_carrier():
    """As ASGI has its headers, and gRPC its metadata."""
    pairs = [(b"traceparent", TRACEPARENT.encode()), ("baggage", "a=1"), [b"baggage", b"b=2"]]
    ctx = cctx.extract(pairs)
    assert ctx.value("trace_id") == TRACE_ID
    assert dict(ctx.metadata_map) == {"a": "1", "b": "2"}


def test_a_wsgi_environment_is_a_carrier():
    environ = {"HTTP_BAGGAGE": "a=1", "wsgi.version": (1, 0), "wsgi.errors": sys.stderr}
    assert cctx.extract(environ, format="cgi").metadata("a") == "1"


def test_what_is_no_string_is_no_field():
    odd = {"baggage": 5, 5: "x", "grpc-timeout": None, "x": object(), "y": [1, None], "": ""}
    policy = cctx.Policy()
    ctx = cctx.extract(odd, policy=policy)
    assert ctx.metadata_pairs() == [] and ctx.deadline() is None
    assert not any(policy.counts.values())


@pytest.mark.parametrize("value", ["a=1\udcff", "\ud800", "\0", "a=1,\0", b"\xff\xfe"])
def test_hostile_strings_are_counted_and_harmless(value):
    policy = cctx.Policy()
    ctx = cctx.extract({"baggage": value, value: "x"}, policy=policy)
    assert ctx.metadata_pairs() in ([], [("a", "1", "request")])
    assert policy.counts["malformed"] == (value != "\ud800")


def test_a_large_carrier_is_bounded():
    policy = cctx.Policy()
    carrier = {f"x{i}": "y" * 100 for i in range(100000)}
    carrier["baggage"] = "a=" + "v" * (10 << 20)
    assert cctx.extract(carrier, policy=policy).metadata_pairs() == []
    assert policy.counts["too_big"] == 1


def test_of_a_large_carrier_nothing_of_another_request_is_sent():
    carrier = {f"x{i}": "y" for i in range(10000)}
    carrier.update({"Baggage": "a=1", "Rpc-Persist-A": "1"})
    policy = cctx.Policy(write=["baggage", "metainfo"])
    assert len(cctx.inject(carrier, cctx.background(), policy=policy)) == 10000
    assert not any(policy.counts.values())


def test_metadata_that_is_no_text_comes_back():
    name, value = "k", "caf\xe9\udcff"
    policy = cctx.Policy("metainfo-map")
    there = cctx.extract({b"RPC_PERSIST_k": b"caf\xc3\xa9\xff"}, policy=policy)
    assert there.metadata(name) == value
    assert cctx.inject({}, there, policy=policy) == {"RPC_PERSIST_k": value}


def test_a_name_that_is_no_text_is_removed_as_it_stands():
    carrier = {"rpc-persist-\udcff": "x", "rpc-persist-a\0": "y", "z": "z"}
    assert "z" in cctx.inject(carrier, cctx.background(), format="metainfo")
    assert "rpc-persist-\udcff" not in carrier


class Headers(dict):
    def __setitem__(self, name, value):
        raise OSError("read-only")


def test_an_error_of_the_carrier_is_raised():
    ctx = make()
    with pytest.raises(OSError, match="read-only"):
        cctx.inject(Headers(), ctx)


def test_a_child_process_continues_the_request():
    """As the error for pickling a context advises."""
    ctx = make()
    with pytest.raises(TypeError, match="inject.*extract"):
        pickle.dumps(ctx)
    cctx.testing.clock_set(None)
    ctx = ctx.detached().with_timeout(60)
    env = cctx.inject(dict(os.environ), ctx, format="environment")
    assert "TRACEPARENT" not in os.environ
    code = (
        "import cctx, os\n"
        "ctx = cctx.extract(os.environ, format='environment')\n"
        "print(ctx.value('trace_id'), ctx.metadata('tenant'), 0 < ctx.remaining() < 61)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.split() == [TRACE_ID, "acme", "True"], done.stderr


BAD = [
    (lambda: cctx.extract(5), TypeError, "not iterable"),
    (lambda: cctx.extract(["ab", "cd"]), TypeError, "a mapping, or pairs of strings"),
    (lambda: cctx.extract({}, 5), TypeError, "Context"),
    (lambda: cctx.extract({}, format="htpp"), ValueError, "no format 'htpp': it is 'http'"),
    (lambda: cctx.extract({}, format=5), TypeError, "format must be a str, not int"),
    (lambda: cctx.extract({}, policy="http"), TypeError, "a cctx.Policy, not str"),
    (lambda: cctx.extract({}, format="http", policy=cctx.Policy()), TypeError, "one of them"),
    (lambda: cctx.inject([]), TypeError, "writes into a mapping, not into list"),
    (lambda: cctx.inject({}, "x"), TypeError, "Context"),
    (lambda: cctx.Policy("x"), ValueError, "no format 'x'"),
    (lambda: cctx.Policy(read=["x"]), ValueError, "read has no field 'x'"),
    (lambda: cctx.Policy(write="baggage"), TypeError, "write must be a list of str, not a str"),
    (lambda: cctx.Policy(allow="tenant"), TypeError, "allow must be a list of str"),
    (lambda: cctx.Policy(allow=[5]), TypeError, "allow must be a str, not int"),
    (lambda: cctx.Policy(send=["a\0"]), ValueError, "send must not contain a NUL"),
    (lambda: cctx.Policy(rename=["a"]), TypeError, "rename must be a dict of str, not list"),
    (lambda: cctx.Policy(rename={"a": 5}), TypeError, "rename must be a str, not int"),
    (lambda: cctx.Policy(timeout_max=0), ValueError, "timeout_max must be more than 0"),
    (lambda: cctx.Policy(timeout_min=-1), ValueError, "timeout_min must be more than 0"),
    (lambda: cctx.Policy(pairs_max=0), ValueError, "pairs_max must be more than 0"),
    (lambda: cctx.Policy(direction="back"), ValueError, "direction must be 'forward'"),
    (lambda: cctx.Policy(timeout_field="x"), TypeError, "a tuple: name, unit in seconds"),
    (lambda: cctx.Policy(timeout_field=("x", 0)), ValueError, "a unit from 1 ns to an hour"),
    (lambda: cctx.Policy(colour=1), TypeError, "colour"),
]


@pytest.mark.parametrize("call, error, message", BAD)
def test_bad_input_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_no_cap_can_be_said():
    cctx.testing.clock_set(1000)
    carrier = {"grpc-timeout": "1H"}
    assert cctx.extract(carrier, format="stranger").remaining() == 30
    policy = cctx.Policy("stranger", timeout_max=None)
    assert cctx.extract(carrier, policy=policy).remaining() == 3600
    cctx.testing.clock_set(None)


def test_pair_that_lies_about_its_length_is_refused():
    class Pair(tuple):
        def __len__(self):
            return 2

    with pytest.raises(TypeError, match="a mapping, or pairs of strings"):
        cctx.extract([Pair()])


def test_inject_replaces_what_a_message_would_keep():
    message = email.message.Message()
    for tenant in ("acme", "other"):
        cctx.inject(message, cctx.background().with_metadata("tenant", tenant))
    assert message.get_all("baggage") == ["tenant=other"]


def test_inject_refuses_names_of_bytes_that_would_stay():
    headers = {b"baggage": b"tenant=acme"}
    with pytest.raises(TypeError, match="names of str"):
        cctx.inject(headers, cctx.background())
    assert headers == {b"baggage": b"tenant=acme"}
