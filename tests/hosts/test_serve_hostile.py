# SPDX-License-Identifier: Apache-2.0
"""Clients of `cctx serve` that mean harm: bounded time and memory, and the next one is served."""

import contextlib
import socket
import threading
import time

import pytest
from serving import route, serve  # noqa: F401
ACME = {"baggage": "tenant=acme"}


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def exchange(server, request):
    """The status line that comes back to the bytes, or b"" where the connection is closed."""
    with connect(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            return connection.recv(65536).split(b"\r\n")[0]
    return b""


def is_well(server):
    status, body, _ = server.get("/lua", ACME)
    return status == 201 and "tenant=acme" in body


def resident(process):
    """MiB"""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def headers(*lines):
    return b"GET /lua HTTP/1.1\r\nHost: a\r\n" + b"".join(lines) + b"\r\n"


REFUSED = {
    "ten megabytes of one header": headers(b"x-long: " + b"a" * 10_000_000 + b"\r\n"),
    "a hundred thousand headers": headers(*(b"x-%d: 1\r\n" % i for i in range(100_000))),
    "a hundred thousand members of baggage": headers(
        b"baggage: " + b",".join(b"k%d=v" % i for i in range(100_000)) + b"\r\n"
    ),
    "a line without an end": b"GET /" + b"a" * 10_000_000,
    "a length that is none": headers(b"content-length: -5\r\n"),
    "a length beyond all numbers": headers(b"content-length: " + b"9" * 30 + b"\r\n"),
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_what_is_too_much_or_malformed_is_refused(serve, request_):
    server = serve(*route("who", "lua"))
    assert is_well(server)
    before = resident(server.process)
    for _ in range(3):
        line = exchange(server, request_)
        assert line == b"" or line.startswith(b"HTTP/1.1 4"), line
    assert is_well(server)
    assert resident(server.process) - before < 20


TAKEN = {
    "a traceparent twice": b"traceparent: 00-%s-b7ad6b7169203331-01\r\n" % (b"1" * 32) * 2,
    "bytes that are no UTF-8": b"baggage: tenant=\xff\xfe\r\nx-\xe9: \xff\r\n",
    "two thousand members of baggage": b"baggage: "
    + b",".join(b"k%d=v" % i for i in range(2000))
    + b"\r\n",
    "a deadline in words": b"grpc-timeout: soon\r\nconnect-timeout-ms: -1\r\n",
    "a hundred headers of one name": b"x-test: a\r\n" * 100,
}


@pytest.mark.parametrize("line", TAKEN.values(), ids=TAKEN)
def test_what_cannot_be_read_is_left_out_and_the_request_is_served(serve, line):
    server = serve(*route("who"))
    for language in (b"lua", b"py"):
        request = headers(line, b"connection: close\r\n").replace(b"/lua", b"/" + language)
        assert exchange(server, request) == b"HTTP/1.1 201 Created"
    assert is_well(server)


@pytest.mark.parametrize("path", ["/%00", "/lua%00x", "/%ff%fe", "/" + "a" * 30_000, "/lua%"])
def test_odd_paths_find_nothing(serve, path):
    server = serve(*route("who", "lua"))
    assert exchange(server, f"GET {path} HTTP/1.0\r\n\r\n".encode()).split()[1] in (b"404",)
    assert is_well(server)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /lua HT",
        headers(b"content-length: 10\r\n") + b"12",
        b"\x00\xff\x16\x03\x01" * 100,
    ],
    ids=["nothing", "half a line", "half a body", "no HTTP at all"],
)
def test_a_client_that_never_finishes_is_closed(serve, sent):
    server = serve("--idle-timeout", "300ms", *route("who", "lua"))
    with connect(server) as connection:
        connection.sendall(sent)
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1000) == b""
        assert 0.2 < time.monotonic() - begin < 20
    assert is_well(server)


def test_a_client_that_sends_a_byte_now_and_then_is_closed(serve):
    """Each byte would start libmicrohttpd's own timeout anew."""
    server = serve("--idle-timeout", "300ms", *route("who", "lua"))
    begin = time.monotonic()
    with connect(server) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"GET /lua HTTP/1.1\r\nx-slow: ")
        while time.monotonic() - begin < 20:
            connection.sendall(b"a")
            connection.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                assert connection.recv(1000) == b""
                break
    assert time.monotonic() - begin < 20
    assert is_well(server)


def test_a_connection_that_is_used_is_kept_for_longer_than_it_may_idle(serve):
    server = serve("--idle-timeout", "500ms", *route("who", "lua"))
    connection = server.connect()
    begin = time.monotonic()
    with contextlib.closing(connection):
        while time.monotonic() - begin < 1.2:
            connection.request("GET", "/lua", headers=ACME)
            assert connection.getresponse().read()
            socket_used = connection.sock
            time.sleep(0.05)
            assert connection.sock is socket_used


def test_a_request_that_takes_longer_than_a_connection_may_idle_is_answered(serve):
    server = serve("--idle-timeout", "200ms", *route("wait", "lua"))
    assert server.get("/lua", {"grpc-timeout": "600m"})[0] == 504


def test_more_connections_than_there_may_be_are_turned_away(serve):
    server = serve("--connections", "20", "--idle-timeout", "1s", *route("who", "lua"))
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(server))
    for _ in range(200):
        with contextlib.suppress(OSError):
            if is_well(server):
                return
        time.sleep(0.02)
    raise AssertionError("nobody is served any more")


def test_others_are_served_while_five_hundred_idle(serve):
    server = serve(*route("who", "lua"))
    before = resident(server.process)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(500)]
        for connection in idle:
            connection.sendall(b"GET /lua HTTP/1.1\r\n")
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(is_well(server))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [True] * 8
        assert resident(server.process) - before < 100
