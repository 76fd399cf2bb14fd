# SPDX-License-Identifier: Apache-2.0
"""cctx.contrib.asgi: requests over the raw protocol, in starlette, under uvicorn."""

import asyncio
import contextlib
import socket
import threading

import cctx
import pytest
from cctx.contrib import asgi

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DISCONNECT = {"type": "http.disconnect"}


def scope_of(*headers, kind="http"):
    return {"type": kind, "headers": list(headers)}


def body(data=b"", more=False):
    return {"type": "http.request", "body": data, "more_body": more}


class Server:
    """Both ends of one exchange: `give` says what receive() will give."""

    def __init__(self, *messages):
        self.inbox = asyncio.Queue()
        self.sent = []
        self.given = 0
        for message in messages:
            self.give(message)

    def give(self, message):
        self.inbox.put_nowait(message)

    async def receive(self):
        message = await self.inbox.get()
        self.given += 1
        return message

    async def send(self, message):
        self.sent.append(message)


def serve(app, *messages, scope=None, **options):
    async def main():
        server = Server(*messages)
        await asyncio.wait_for(
            asgi.Middleware(app, **options)(
                scope or scope_of(), server.receive, server.send
            ),
            30,
        )
        assert cctx.current() == cctx.background()
        return server.sent

    return asyncio.run(main())


async def answer(send, data=b"ok", status=200):
    await send({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": data})


def test_request_knows_what_its_headers_say(clock):
    seen = []

    async def app(scope, receive, send):
        seen.append((cctx.value("trace_id"), cctx.metadata("tenant"), cctx.remaining()))
        await answer(send)

    headers = (b"traceparent", TRACE), (b"baggage", b"tenant=acme"), (b"grpc-timeout", b"2S")
    sent = serve(app, body(), scope=scope_of(*headers))
    serve(app, body(), scope=scope_of(*headers), policy=cctx.Policy("http"), timeout=1)
    serve(app, body())
    trace = TRACE.decode().split("-")[1]
    assert seen == [(trace, None, 2.0), (trace, "acme", 1.0), (None, None, None)]
    assert [m.get("status") for m in sent] == [200, None]


def test_policy_of_another_type_is_refused():
    with pytest.raises(TypeError, match="policy must be a cctx.Policy, not str"):
        asgi.Middleware(None, policy="http")


def test_lifespan_is_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send, cctx.current_status()))

    scope = {"type": "lifespan"}
    asyncio.run(asgi.Middleware(app)(scope, 1, 2))
    assert seen == [(scope, 1, 2, "none")]


def test_request_ends_when_the_app_returns_and_the_next_does_not_see_it():
    kept = []

    async def app(scope, receive, send):
        kept.append(cctx.current())
        await answer(send)

    serve(app, body(), scope=scope_of((b"traceparent", TRACE)))
    assert kept[0].cause().message == "the request has ended"
    serve(app, body())
    assert kept[1].value("trace_id") is None


def test_request_ends_also_if_the_app_raises():
    kept = []

    async def app(scope, receive, send):
        kept.append(cctx.current())
        raise KeyError("bug")

    with pytest.raises(KeyError):
        serve(app, body())
    assert kept[0].err() == "canceled"


def test_client_that_leaves_cancels_the_request_and_stops_the_app():
    causes = []

    async def main():
        async def app(scope, receive, send):
            server.give(DISCONNECT)
            try:
                await asyncio.Event().wait()
            finally:
                causes.append(cctx.cause().message)

        server = Server(body())
        await asyncio.wait_for(
            asgi.Middleware(app)(scope_of(), server.receive, server.send), 30
        )
        return server.sent

    assert asyncio.run(main()) == [] and causes == ["the client has left"]


def test_every_message_of_the_body_reaches_the_app_in_order():
    parts = [bytes([n]) * 30000 for n in range(9)]
    got = []

    async def app(scope, receive, send):
        await asyncio.sleep(0)
        message = {"more_body": True}
        while message["more_body"]:
            message = await receive()
            got.append(message["body"])
        await answer(send)

    serve(app, *[body(part, True) for part in parts], body())
    assert got == [*parts, b""]


def test_what_is_read_ahead_is_bounded():
    async def main():
        async def app(scope, receive, send):
            for _ in range(50):
                await asyncio.sleep(0)
            given.append(server.given)
            await answer(send)

        given = []
        server = Server(*[body(b"x" * 30000, True) for _ in range(20)])
        await asgi.Middleware(app)(scope_of(), server.receive, server.send)
        return given

    assert asyncio.run(main()) == [3]


def test_client_that_waits_to_be_asked_for_its_body_is_asked_by_the_app_alone():
    async def main():
        async def app(scope, receive, send):
            for _ in range(10):
                await asyncio.sleep(0)
            given.append(server.given)
            assert (await receive())["body"] == b"x"
            await answer(send)

        given = []
        server = Server(body(b"x"))
        scope = scope_of((b"expect", b"100-continue"))
        await asgi.Middleware(app)(scope, server.receive, server.send)
        return given

    assert asyncio.run(main()) == [0]


def test_disconnect_is_given_again_and_again():
    async def app(scope, receive, send):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        got.extend([await receive(), await receive(), await receive()])

    got = []
    serve(app, body(b"x"), DISCONNECT)
    assert got == [body(b"x"), DISCONNECT, DISCONNECT]


def test_error_of_the_server_reaches_the_app_that_receives():
    async def app(scope, receive, send):
        await receive()

    async def broken():
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        asyncio.run(asgi.Middleware(app)(scope_of(), broken, None))


def test_deadline_that_passes_before_an_answer_is_504():
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    sent = serve(app, body(), timeout=0.01)
    assert [m.get("status") for m in sent] == [504, None]


def test_deadline_that_has_passed_already_is_504_without_the_app():
    async def app(scope, receive, send):
        raise AssertionError("it must not run")

    assert serve(app, body(), timeout=0)[0]["status"] == 504


def test_deadline_that_passes_within_an_answer_cuts_it_off():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await asyncio.Event().wait()

    with pytest.raises(cctx.DeadlineExceeded):
        serve(app, body(), timeout=0.01)


def test_request_that_is_canceled_before_an_answer_is_503():
    async def app(scope, receive, send):
        cctx.current().cancel("overload")
        cctx.check()

    assert serve(app, body())[0]["status"] == 503


def test_work_after_the_answer_is_not_stopped(clock):
    done = []

    async def main():
        async def app(scope, receive, send):
            await answer(send)
            server.give(DISCONNECT)
            for _ in range(20):
                await asyncio.sleep(0)
            done.append(cctx.err())
            clock.advance(2)
            for _ in range(20):
                await asyncio.sleep(0)
            done.append(cctx.err())

        server = Server(body())
        await asgi.Middleware(app, timeout=1)(scope_of(), server.receive, server.send)

    asyncio.run(main())
    assert done == [None, "deadline_exceeded"]


def test_response_becomes_headers():
    async def app(scope, receive, send):
        cctx.response_set({"shard": "eu", "content-length": "9", "bad": "a\r\nb: c"})
        await answer(send)
        assert not cctx.response_set("late", "1")

    assert serve(app, body())[0]["headers"] == [(b"a", b"b"), (b"shard", b"eu")]


def test_tasks_of_two_requests_see_their_own():
    async def main():
        async def app(scope, receive, send):
            await asyncio.sleep(0)
            seen.append(await asyncio.create_task(who()))
            await answer(send)

        async def who():
            await asyncio.sleep(0)
            return cctx.metadata("tenant")

        seen, middleware = [], asgi.Middleware(app, policy=cctx.Policy("http"))
        servers = [Server(body()) for _ in range(5)]
        await asyncio.gather(
            *[
                middleware(
                    scope_of((b"baggage", b"tenant=%d" % n)), server.receive, server.send
                )
                for n, server in enumerate(servers)
            ]
        )
        return sorted(seen)

    assert asyncio.run(main()) == ["0", "1", "2", "3", "4"]


def test_websocket_has_a_request_and_is_stopped_when_its_client_leaves():
    seen = []

    async def main():
        async def app(scope, receive, send):
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept"})
            seen.append((await receive())["text"])
            server.give({"type": "websocket.disconnect", "code": 1001})
            try:
                await asyncio.Event().wait()
            finally:
                seen.append((cctx.value("trace_id"), cctx.cause().message))

        server = Server(
            {"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}
        )
        scope = scope_of((b"traceparent", TRACE), kind="websocket")
        await asgi.Middleware(app)(scope, server.receive, server.send)
        return server.sent

    assert [m["type"] for m in asyncio.run(main())] == ["websocket.accept"]
    assert seen == ["hello", (TRACE.decode().split("-")[1], "the client has left")]


def test_websocket_is_closed_at_its_deadline():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    connect = {"type": "websocket.connect"}
    sent = serve(app, connect, scope=scope_of(kind="websocket"), timeout=0.01)
    assert sent[-1] == {"type": "websocket.close", "code": 1011}


def starlette_app(**options):
    applications = pytest.importorskip(
        "starlette.applications", reason="starlette is not installed"
    )
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def who(request):
        return PlainTextResponse(cctx.metadata("tenant", "nobody"))

    def in_a_thread(request):
        return PlainTextResponse(cctx.metadata("tenant", "nobody"))

    async def slow(request):
        slow.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            slow.cause = cctx.cause().message
            slow.stopped.set()

    def late(request):
        cctx.testing.clock_set(1e9)
        cctx.check()

    slow.started, slow.stopped = threading.Event(), threading.Event()
    routes = [Route("/" + f.__name__, f) for f in (who, in_a_thread, slow, late)]
    middleware = [Middleware(asgi.Middleware, policy=cctx.Policy("http"), **options)]
    made = applications.Starlette(routes=routes, middleware=middleware)
    made.slow = slow
    return made


def test_starlette_endpoints_work_for_their_request(clock):
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    app = starlette_app(timeout=5)

    async def main():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test"
        ) as client:
            acme = {"baggage": "tenant=acme"}
            answers = [
                await client.get("/who", headers=acme),
                await client.get("/who"),
                await client.get("/in_a_thread", headers=acme),
                await client.get("/late"),
            ]
            return [(a.status_code, a.text) for a in answers]

    assert asyncio.run(main()) == [
        (200, "acme"), (200, "nobody"), (200, "acme"), (504, "Gateway Timeout")
    ]  # fmt: skip


@contextlib.contextmanager
def uvicorn_serving(app):
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", loop="asyncio",
                            ws="none")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
    assert not thread.is_alive()


def get(path, *headers):
    lines = [f"GET {path} HTTP/1.1", "Host: test", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_client_of_uvicorn_that_leaves_stops_the_handler():
    app = starlette_app()
    with uvicorn_serving(app) as address:
        with socket.create_connection(address, 30) as client:
            client.sendall(get("/slow"))
            assert app.slow.started.wait(30)
        assert app.slow.stopped.wait(30)
        with socket.create_connection(address, 30) as client:
            client.sendall(get("/who"))
            assert client.recv(12) == b"HTTP/1.1 200"
    assert app.slow.cause == "the client has left"


def test_requests_of_one_connection_of_uvicorn_see_their_own():
    with uvicorn_serving(starlette_app()) as address:
        with socket.create_connection(address, 30) as client:
            with client.makefile("rb") as answers:
                for header, tenant in [("baggage: tenant=acme", b"acme"), ("a: b", b"nobody")]:
                    client.sendall(get("/who", header))
                    while answers.readline() != b"\r\n":
                        pass
                    assert answers.read(len(tenant)) == tenant
