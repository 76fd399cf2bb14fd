# SPDX-License-Identifier: Apache-2.0
"""gRPC for Python, live: metadata and deadlines, both ways."""

from concurrent import futures

import cctx
import pytest

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

pytestmark = pytest.mark.usefixtures("unsanitized")

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
FORMAT = cctx.Policy(
    "grpc",
    read=["traceparent", "baggage", "cctx-metadata"],
    write=["traceparent", "baggage", "cctx-metadata"],
)


def context_of(call):
    """A server's: its metadata, and gRPC's own deadline."""
    ctx = cctx.extract(call.invocation_metadata(), policy=FORMAT)
    return ctx.with_timeout(call.time_remaining())


class Handler(grpc.GenericRpcHandler):
    """Answers with what `serve` says under the context of the call."""

    def __init__(self, serve):
        self.serve = serve

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.call)

    def call(self, request, call):
        with cctx.use(context_of(call)):
            return self.serve(call)


@pytest.fixture
def connect():
    started = []

    def connect(serve):
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler(serve)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        started.append((channel, server))
        return channel.unary_unary("/test/call")

    yield connect
    for channel, server in started:
        channel.close()
        server.stop(None).wait()


def send(call, ctx):
    metadata = list(cctx.inject({}, ctx, policy=FORMAT).items())
    return call(b"", metadata=metadata, timeout=ctx.remaining()).decode()


def test_trace_metadata_and_deadline_go_with_a_call(connect):
    def serve(call):
        name, value, scope = cctx.metadata_pairs()[-1]
        limited = 0 < cctx.remaining() < 31
        return f"{cctx.value('trace_id')} {cctx.metadata('tenant')} {scope} {limited}".encode()

    ctx = cctx.extract({"traceparent": TRACEPARENT, "baggage": "tenant=acme corp"})
    ctx = ctx.with_metadata({"tenant": "acme, corp"}).with_metadata("Try_no", "2", "hop")
    answer = send(connect(serve), ctx.with_timeout(30))
    assert answer == f"{TRACE_ID} acme, corp upstream True"


def test_a_call_without_a_deadline_has_none_there(connect):
    """time_remaining() is some 292 years then, which is no limit here."""
    call = connect(lambda call: str(cctx.remaining()).encode())
    assert send(call, cctx.background()) == "None"


def test_its_header_is_read_as_it_reads_it(connect):
    """And what we would write, at the time that its own has left."""

    def serve(call):
        left = call.time_remaining()
        header = cctx.inject({}, cctx.background().with_timeout(left))["grpc-timeout"]
        again = cctx.extract({"grpc-timeout": header}).remaining()
        return f"{left} {again}".encode()

    left, again = map(float, send(connect(serve), cctx.background().with_timeout(7)).split())
    assert 5 < again <= left + 0.001 <= 7.001


def test_metadata_that_a_server_sends_comes_back(connect):
    answer = cctx.Policy(write=["cctx-metadata"], read=["cctx-metadata"], direction="backward")

    def serve(call):
        ctx = cctx.background().with_metadata("Cost", "7 units", "hop")
        call.set_trailing_metadata(tuple(cctx.inject({}, ctx, policy=answer).items()))
        return b""

    _, call = connect(serve).with_call(b"")
    back = cctx.extract(call.trailing_metadata(), policy=answer)
    assert back.metadata_pairs() == [("Cost", "7 units", "upstream")]


def test_what_has_passed_is_not_sent(connect):
    call = connect(lambda call: b"")
    with pytest.raises(cctx.DeadlineExceeded):
        send(call, cctx.background().with_timeout(-1))
