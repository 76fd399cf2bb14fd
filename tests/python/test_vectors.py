# SPDX-License-Identifier: Apache-2.0
"""The vectors of tests/vectors: what each field means, and how it is written."""

import json
import pathlib

import cctx
import cctx.testing
import pytest

FILES = sorted((pathlib.Path(__file__).parents[1] / "vectors").glob("*.json"))
TRACE = ("trace_id", "span_id", "trace_flags", "tracestate")


@pytest.fixture(autouse=True)
def clock():
    cctx.testing.clock_set(1000)
    yield
    cctx.testing.clock_set(None)


def to_policy(options):
    options = dict(options)
    if "timeout_field" in options:
        options["timeout_field"] = tuple(options["timeout_field"])
    return cctx.Policy(**options)


def to_context(said):
    ctx = cctx.background().with_values(said.get("values", {}))
    for name, value, scope in said.get("metadata", ()):
        ctx = ctx.with_metadata(name, value, scope)
    return ctx.with_timeout(said["timeout"]) if "timeout" in said else ctx


def counted(policy):
    return {name: count for name, count in policy.counts.items() if count}


def check_reading(vector, policy):
    ctx, gives = cctx.extract(vector["extract"], policy=policy), vector["gives"]
    if "values" in gives:
        values = {name: ctx.value(name) for name in TRACE if ctx.value(name) is not None}
        assert values == gives["values"]
    if "metadata" in gives:
        expected = gives["metadata"]
        scopes = {name: scope for name, _, scope in ctx.metadata_pairs()}
        assert dict(ctx.metadata_map) == {
            name: one if isinstance(one, str) else one[0] for name, one in expected.items()
        }
        for name, one in expected.items():
            assert isinstance(one, str) or scopes[name] == one[1]
    # Not approx(None): some releases of pytest compute its tolerance, and fail.
    remaining = gives.get("remaining")
    if remaining is None:
        assert ctx.remaining() is None
    else:
        assert ctx.remaining() == pytest.approx(remaining, rel=1e-9, abs=2e-9)
    if "counts" in gives:
        assert counted(policy) == gives["counts"]


def check_writing(vector, policy):
    carrier = dict(vector.get("into", {}))
    assert cctx.inject(carrier, to_context(vector["context"]), policy=policy) is carrier
    assert carrier == vector["inject"]
    assert counted(policy) == vector.get("counts", {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_vector_holds(path):
    vectors = json.loads(path.read_text())["vectors"]
    assert len({vector["name"] for vector in vectors}) == len(vectors) > 5
    for vector in vectors:
        policy = to_policy(vector.get("policy", {}))
        check = check_reading if "extract" in vector else check_writing
        try:
            check(vector, policy)
        except Exception as error:
            raise AssertionError(f"{path.name}: {vector['name']}") from error
