# SPDX-License-Identifier: Apache-2.0
"""Handlers of `cctx serve` that do not ask, and what they leave to the next request."""

import concurrent.futures
import re
import socket
import time

import pytest
from serving import route, serve  # noqa: F401

STOPPED = (504, "context deadline exceeded\n")


# ---- Handlers that do not ask ----


@pytest.mark.parametrize("query", ["", "?catching"])
def test_a_lua_handler_that_loops_is_stopped_at_the_deadline(serve, query):
    server = serve("--workers", "1", *route("busy", "lua"))
    assert server.get(f"/lua{query}", {"grpc-timeout": "100m"})[:2] == STOPPED
    assert server.get("/lua", {"grpc-timeout": "100m"})[:2] == STOPPED


def test_a_client_is_answered_while_its_worker_is_late(serve, tmp_path):
    """The worker is free again when the handler returns, whose answer nobody gets."""
    server = serve("--workers", "1", *route("busy", "py"))
    begin = time.monotonic()
    go = tmp_path / "go"
    status, body, _ = server.get(f"/py?{go}", {"grpc-timeout": "100m"})
    assert (status, body) == STOPPED
    assert time.monotonic() - begin < 10
    with concurrent.futures.ThreadPoolExecutor() as pool:
        second = pool.submit(server.get, "/py", {"grpc-timeout": "20S"})
        go.touch()
        assert second.result()[:2] == (200, "quick")
    assert server.stop() == 0
    first, second = server.log().splitlines()
    assert re.fullmatch(r"request=1 trace=- GET /py 504 [\d.]+ ms deadline_exceeded", first)
    assert re.fullmatch(r"request=2 trace=- GET /py 200 [\d.]+ ms", second)


def test_on_one_connection_the_next_request_has_its_own_answer(serve, tmp_path):
    server = serve("--workers", "1", *route("busy", "py"))
    go = tmp_path / "go"
    connection = server.connect()
    connection.request("GET", f"/py?{go}", headers={"grpc-timeout": "100m"})
    answer = connection.getresponse()
    assert (answer.status, answer.read().decode()) == STOPPED
    go.touch()
    for _ in range(3):
        connection.request("GET", "/py")
        assert connection.getresponse().read() == b"quick"
    connection.close()


def test_requests_that_wait_for_a_worker_are_answered_at_their_deadlines(serve, tmp_path):
    server = serve("--workers", "1", *route("busy", "py"))
    go = tmp_path / "go"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ask = [
            pool.submit(server.get, f"/py?{go}", {"grpc-timeout": f"{100 + 20 * i}m"})
            for i in range(8)
        ]
        assert [one.result()[:2] for one in ask] == [STOPPED] * 8
    go.touch()
    assert server.get("/py")[:2] == (200, "quick")


# ---- The queue ----

TURNED_AWAY = (503, "too many requests wait\n")


def keep_busy(server, go):
    """Its only worker has a request that nobody waits for any more."""
    assert server.get(f"/py?{go}", {"grpc-timeout": "50m"})[:2] == STOPPED


def ask(server):
    """A connection that waits for an answer."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(b"GET /py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return connection


def ask_until(server, answer):
    """Ask, with a deadline that passes before the worker is free, until that is the answer."""
    for _ in range(1000):
        if server.get("/py", {"grpc-timeout": "1m"})[:2] == answer:
            return
    raise AssertionError(f"the answer is never {answer}")


def test_when_too_many_wait_for_a_worker_the_next_is_turned_away(serve, tmp_path):
    server = serve("--queue", "5", "--workers", "1", *route("busy", "py"))
    go = tmp_path / "go"
    keep_busy(server, go)
    waiting = [ask(server) for _ in range(5)]
    ask_until(server, TURNED_AWAY)
    go.touch()
    for connection in waiting:
        with connection:
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"quick")
    assert server.get("/py")[:2] == (200, "quick")


def test_requests_whose_deadline_has_passed_keep_none_out(serve, tmp_path):
    server = serve("--queue", "1", "--workers", "1", *route("busy", "py"))
    go = tmp_path / "go"
    keep_busy(server, go)
    for _ in range(5):
        assert server.get("/py", {"grpc-timeout": "50m"})[:2] == STOPPED
    go.touch()
    assert server.get("/py")[:2] == (200, "quick")


def test_requests_whose_client_has_left_keep_none_out(serve, tmp_path):
    server = serve("--queue", "1", "--workers", "1", *route("busy", "py"))
    go = tmp_path / "go"
    keep_busy(server, go)
    with ask(server):
        ask_until(server, TURNED_AWAY)
    ask_until(server, STOPPED)
    go.touch()
    assert server.get("/py")[:2] == (200, "quick")
    assert server.stop() == 0
    left = [line for line in server.log().splitlines() if line.endswith("client_left")]
    assert len(left) == 1 and " 499 " in left[0]


def test_a_lua_handler_without_a_guard_is_answered_for_too(serve):
    """Its worker is lost, and so ends with the process."""
    server = serve("--no-guard", "--workers", "1", *route("busy", "lua"))
    assert server.get("/lua", {"grpc-timeout": "100m"})[:2] == STOPPED
    server.process.kill()
    server.output = "contexts alive: 0\n"  # nothing of what the fixture looks at


# ---- Globals ----


def test_globals_of_a_lua_request_are_not_there_for_the_next(serve):
    server = serve("--workers", "1", "--route", "/lua=globals.lua")
    for query in ("a", "b"):
        before, after = server.get(f"/lua?{query}")[1].split(" | ")
        assert before == "nil nil 0 hello"
        assert after == f"{query} {query} 1 hello!"


def test_globals_of_interleaved_lua_requests_are_apart(serve):
    server = serve("--workers", "1", "--route", "/lua=globals.lua")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        bodies = pool.map(lambda i: server.get(f"/lua?{i}")[1], range(64))
        assert list(bodies) == [f"nil nil 0 hello | {i} {i} 1 hello!" for i in range(64)]


def test_globals_of_two_lua_files_are_apart(serve):
    server = serve("--workers", "1", "--route=/a=globals.lua", "--route=/b=globals.lua")
    assert server.get("/a?x")[1] == server.get("/b?x")[1]
