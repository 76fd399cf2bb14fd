# SPDX-License-Identifier: Apache-2.0
"""Clients of `cctx serve` that do not behave: what becomes of their requests, and of others."""

import contextlib
import re
import socket
import time

import pytest
from serving import LANGUAGES, route, serve  # noqa: F401


# ---- Clients that leave ----


def ask(server, path, *, close):
    """A connection on which `path` was asked for, once its handler has begun."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert server.process.stdout.readline() == "begun\n"
    close(connection)
    return connection


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["close", "half"])
def test_a_client_that_leaves_cancels_its_request(serve, language, way):
    """Also one that closes its sending side alone."""
    server = serve("--workers", "1", *route("gone", language))
    ways = {"close": socket.socket.close, "half": lambda c: c.shutdown(socket.SHUT_WR)}
    begin = time.monotonic()
    connection = ask(server, f"/{language}", close=ways[way])
    assert server.process.stdout.readline() == "canceled: client is gone\n"
    assert time.monotonic() - begin < 5
    if way == "half":
        assert connection.recv(1000) == b""
    connection.close()
    assert server.get(f"/{language}?quick")[:2] == (200, "fine")
    assert server.stop() == 0
    first = server.log().splitlines()[0]
    assert re.fullmatch(rf"request=1 trace=- GET /{language} 499 [\d.]+ ms client_left", first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_clients_that_leave_do_not_cancel_those_that_take_their_place(serve, language):
    """Descriptors are used again at once, in keep-alive connections and in new ones."""
    server = serve("--workers", "1", *route("gone", language))
    kept = server.connect()
    with contextlib.closing(kept):
        for _ in range(50):
            ask(server, f"/{language}", close=socket.socket.close)
            kept.request("GET", f"/{language}?quick")
            assert kept.getresponse().read() == b"fine"
            assert server.get(f"/{language}?quick")[:2] == (200, "fine")
            assert server.process.stdout.readline() == "canceled: client is gone\n"
    assert server.stop() == 0
    statuses = [line.split()[4] for line in server.log().splitlines()]
    assert sorted(statuses) == ["200"] * 100 + ["499"] * 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_requests_sent_before_the_answer_are_all_answered(serve, language):
    server = serve("--workers", "1", *route("gone", language))
    line = f"GET /{language}?quick HTTP/1.1\r\nHost: a\r\n"
    last = line + "Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall((line + "\r\n").encode() * 9 + last.encode())
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b" 200 OK\r\n") == 10


# ---- Clients that send much ----


def test_bodies_take_no_more_memory_than_there_is_for_them(serve):
    server = serve("--body-memory", "1", *route("gone", "lua"))
    half = b"b" * 600_000
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as first:
        head = b"POST /lua HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(half)
        first.sendall(head + half)
        assert server.process.stdout.readline() == "begun\n"
        refused = (503, "the bodies of others take all memory\n")
        assert server.get("/lua?quick", body=half)[:2] == refused
        assert server.get("/lua?quick", body=half[:200_000])[:2] == (200, "fine")
    assert server.process.stdout.readline() == "canceled: client is gone\n"
    for _ in range(1000):
        if server.get("/lua?quick", body=half)[:2] == (200, "fine"):
            return
    raise AssertionError("the memory is never free again")
