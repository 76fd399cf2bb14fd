# SPDX-License-Identifier: Apache-2.0
"""cctx.contrib.wsgi: requests by hand, under wsgiref's validator, and in threads."""

import contextlib
import contextvars
import http.client
import io
import sys
import threading
import wsgiref.handlers
import wsgiref.util
import wsgiref.validate

import cctx
import pytest
from cctx.contrib import wsgi

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SENT = [("Content-Type", "text/plain")]


def run(app, headers=None, **options):
    """What a server that goes by the book sends: the status line and all that follows."""
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/",
               "QUERY_STRING": ""}  # fmt: skip
    wsgiref.util.setup_testing_defaults(environ)
    environ.update(headers or {})
    out = io.BytesIO()
    handler = wsgiref.handlers.SimpleHandler(io.BytesIO(), out, io.StringIO(), environ)
    handler.run(wsgiref.validate.validator(wsgi.Middleware(app, **options)))
    assert cctx.current() == cctx.background()
    head, _, body = out.getvalue().partition(b"\r\n\r\n")
    return head.decode(), body


def test_request_knows_what_its_headers_say(clock):
    def app(environ, start_response):
        start_response("200 OK", SENT)
        return [repr((cctx.value("trace_id"), cctx.remaining())).encode()]

    def told(environ, start_response):
        start_response("200 OK", SENT)
        return [cctx.metadata("tenant", "nobody").encode()]

    headers = {"HTTP_TRACEPARENT": TRACE, "HTTP_GRPC_TIMEOUT": "2S",
               "HTTP_BAGGAGE": "tenant=acme"}  # fmt: skip
    assert run(app, headers)[1] == repr((TRACE.split("-")[1], 2.0)).encode()
    assert run(app)[1] == b"(None, None)"
    assert run(told, headers)[1] == b"nobody"
    assert run(told, headers, policy=cctx.Policy("http"))[1] == b"acme"


def test_body_is_iterated_under_the_context_and_nothing_between_its_steps():
    def app(environ, start_response):
        start_response("200 OK", SENT)
        for _ in range(2):
            yield cctx.metadata("tenant").encode()

    served = wsgi.Middleware(app, policy=cctx.Policy("http"))
    answer = served({"HTTP_BAGGAGE": "tenant=acme"}, lambda *a: None)
    for step in answer:
        assert step == b"acme" and cctx.current_status() == "none"
    answer.close()


@pytest.mark.parametrize("fails_in", ["call", "step", "close", "never"])
def test_request_ends_once_wherever_the_app_raises(fails_in):
    kept = []

    class Body:
        closed = 0

        def __iter__(self):
            yield b"a"
            if fails_in == "step":
                raise KeyError(fails_in)

        def close(self):
            Body.closed += 1
            assert cctx.current() == kept[0] and cctx.err() is None
            if fails_in == "close":
                raise KeyError(fails_in)

    def app(environ, start_response):
        kept.append(cctx.current())
        start_response("200 OK", SENT)
        if fails_in == "call":
            raise KeyError(fails_in)
        return Body()

    with pytest.raises(KeyError) if fails_in != "never" else contextlib.nullcontext():
        with contextlib.closing(wsgi.Middleware(app)({}, lambda *a: None)) as answer:
            assert list(answer) == [b"a"]
    assert kept[0].cause().message == "the request has ended"
    assert Body.closed == (fails_in != "call")


def test_answer_that_is_never_closed_leaves_nothing_on_the_thread():
    kept = []

    def app(environ, start_response):
        kept.append(cctx.current())
        start_response("200 OK", SENT)
        return [b"a"]

    answer = wsgi.Middleware(app)({}, lambda *a: None)
    assert cctx.current_status() == "none"
    del answer
    assert kept[0].err() == "canceled"


def test_contextvar_that_the_app_sets_does_not_reach_the_next_request():
    var = contextvars.ContextVar("var", default="unset")

    def app(environ, start_response):
        start_response("200 OK", SENT)
        said = var.get().encode()
        var.set("set")
        return [said]

    assert [run(app)[1], run(app)[1]] == [b"unset", b"unset"]


@pytest.mark.parametrize("when", ["before", "in the call", "in the body"])
def test_deadline_before_an_answer_is_504(clock, when):
    def pass_it(at):
        if at == when:
            clock.advance(2)
        cctx.check()

    def app(environ, start_response):
        pass_it("in the call")
        start_response("200 OK", SENT)
        return body()

    def body():
        pass_it("in the body")
        yield b"x"

    head, said = run(app, timeout=0 if when == "before" else 1)
    assert "504 Gateway Timeout" in head and said == b"Gateway Timeout"


def test_deadline_after_an_empty_step_replaces_the_head(clock):
    def app(environ, start_response):
        start_response("200 OK", SENT)
        yield b""
        clock.advance(2)
        cctx.check()

    heads = []
    answer = wsgi.Middleware(app, timeout=1)({}, lambda *head: heads.append(head) or print)
    assert list(answer) == [b"", b"Gateway Timeout"]
    assert [head[0] for head in heads] == ["200 OK", "504 Gateway Timeout"]
    assert heads[1][2][0] is cctx.DeadlineExceeded  # so that a server that sent it refuses


def test_deadline_within_an_answer_cuts_it_off(clock):
    def app(environ, start_response):
        start_response("200 OK", SENT)
        yield b"x"
        clock.advance(2)
        cctx.check()

    answer = wsgi.Middleware(app, timeout=1)({}, lambda *a: None)
    assert next(answer) == b"x"
    with pytest.raises(cctx.DeadlineExceeded):
        next(answer)
    answer.close()


def test_request_that_is_canceled_before_an_answer_is_503():
    def app(environ, start_response):
        cctx.current().cancel("overload")
        cctx.check()

    assert "503 Service Unavailable" in run(app)[0]


def test_response_becomes_headers():
    def app(environ, start_response):
        start_response("200 OK", SENT)
        cctx.response_set({"shard": "eu", "content-length": "9", "bad": "a\r\nb: c"})
        yield b"ok"
        assert not cctx.response_set("late", "1")

    head, said = run(app)
    assert "shard: eu" in head and "bad" not in head and "content-length" not in head.lower()
    assert said == b"ok"


def test_written_body_has_its_head_first():
    def app(environ, start_response):
        write = start_response("200 OK", SENT)
        cctx.response_set("shard", "eu")
        write(b"one ")
        return [b"two"]

    head, said = run(app)
    assert "shard: eu" in head and said == b"one two"


def test_answer_without_a_body_has_its_head():
    def app(environ, start_response):
        start_response("204 No Content", [])
        return []

    assert "204 No Content" in run(app)[0]


def test_error_of_the_app_may_replace_its_head():
    def app(environ, start_response):
        start_response("200 OK", SENT)
        try:
            raise KeyError("bug")
        except KeyError:
            start_response("500 Oh", SENT, sys.exc_info())
        return [b"oh"]

    head, said = run(app)
    assert "500 Oh" in head and "200" not in head and said == b"oh"


def test_threads_of_a_server_see_their_own_requests():
    waitress = pytest.importorskip("waitress", reason="waitress is not installed")
    together = threading.Barrier(4, timeout=30)

    def app(environ, start_response):
        together.wait()
        start_response("200 OK", SENT)
        yield cctx.metadata("tenant").encode()
        together.wait()
        yield cctx.metadata("tenant").encode()

    policy = cctx.Policy("http")
    server = waitress.create_server(
        wsgi.Middleware(app, policy=policy), host="127.0.0.1", port=0, threads=4
    )
    loop = threading.Thread(target=server.run)
    loop.start()
    said = {}

    def ask(n):
        connection = http.client.HTTPConnection(
            "127.0.0.1", server.effective_port, timeout=30
        )
        for turn in range(2):
            connection.request("GET", "/", headers={"baggage": f"tenant={n}"})
            said[n, turn] = connection.getresponse().read()
        connection.close()

    clients = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    server.trigger.pull_trigger(server.close)
    loop.join(30)
    server.task_dispatcher.shutdown()
    assert said == {(n, turn): b"%d%d" % (n, n) for n in range(4) for turn in range(2)}
