# SPDX-License-Identifier: Apache-2.0
"""`cctx serve` at SIGTERM: what runs may finish, for as long as the grace."""

import contextlib
import signal
import socket
import time

import pytest
from serving import LANGUAGES, route, serve  # noqa: F401
CANCELED = (503, b"context canceled\n")


@pytest.fixture
def connect():
    """connect(server): a connection, which is closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(contextlib.closing(server.connect()))


def ask(connection, server, path):
    """`connection`, on which `path` was asked for, once its handler has begun."""
    connection.request("GET", path)
    assert server.process.stdout.readline() == "begun\n"
    return connection


def wait_until_closed(server):
    """Until nobody listens there any more."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=30).close()
        except ConnectionResetError:  # nobody took it before the end
            continue
        except ConnectionRefusedError:
            return
        time.sleep(0.001)


def answer(connection):
    got = connection.getresponse()
    return got.status, got.read(), got.getheader("Connection")


def end(server):
    server.output = server.process.communicate(timeout=30)[0]
    return server.process.returncode


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_runs_may_finish_and_its_connection_is_closed(
    serve, connect, language, tmp_path
):
    file = tmp_path / "go-on"
    server = serve("--grace", "20s", *route("finish", language))
    connection = ask(connect(server), server, f"/{language}?{file}")
    server.process.send_signal(signal.SIGTERM)
    wait_until_closed(server)
    file.touch()
    begin = time.monotonic()
    assert answer(connection) == (200, b"finished", "close")
    assert end(server) == 0
    assert time.monotonic() - begin < 10  # not the whole grace
    assert "canceled" not in server.log()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_on_a_connection_that_is_open_is_served_in_the_grace(
    serve, connect, language, tmp_path
):
    file = tmp_path / "go-on"
    server = serve("--grace", "20s", *route("finish", language))
    first = ask(connect(server), server, f"/{language}?{file}")
    other = connect(server)
    other.request("GET", "/absent")
    assert answer(other) == (404, b"not found\n", None)
    server.process.send_signal(signal.SIGTERM)
    wait_until_closed(server)
    other.request("GET", f"/{language}?{file}")
    assert server.process.stdout.readline() == "begun\n"
    file.touch()
    assert answer(first) == answer(other) == (200, b"finished", "close")
    assert end(server) == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_runs_when_the_grace_is_over_is_canceled(serve, connect, language):
    server = serve("--grace", "100ms", *route("gone", language))
    connection = ask(connect(server), server, f"/{language}")
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.stdout.readline() == "canceled: server is shutting down\n"
    assert time.monotonic() - begin >= 0.1
    assert answer(connection)[:2] == CANCELED
    assert end(server) == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_the_grace_short(serve, connect, language, number):
    server = serve("--grace", "1h", *route("gone", language))
    connection = ask(connect(server), server, f"/{language}")
    server.process.send_signal(signal.SIGTERM)
    wait_until_closed(server)
    server.process.send_signal(number)
    assert server.process.stdout.readline() == "canceled: server is shutting down\n"
    assert answer(connection)[:2] == CANCELED
    assert end(server) == 0


def test_a_late_answer_closes_its_connection_too(serve, connect, tmp_path):
    """The worker that was late is waited for, as any other."""
    file = tmp_path / "go-on"
    server = serve("--grace", "20s", *route("busy", "py"))
    connection = connect(server)
    connection.request("GET", f"/py?{file}", headers={"grpc-timeout": "500m"})
    other = connect(server)
    other.request("GET", "/absent")  # the I/O thread has read what came before
    assert answer(other)[0] == 404
    server.process.send_signal(signal.SIGTERM)
    wait_until_closed(server)
    assert answer(connection) == (504, b"context deadline exceeded\n", "close")
    file.touch()
    assert end(server) == 0
