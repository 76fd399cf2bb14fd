# SPDX-License-Identifier: Apache-2.0
"""What the tests of fetch share: servers, peers of a test's own, scripts."""

import re
import socket
import subprocess
import threading

import pytest
from serving import ENVIRONMENT


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def has_libcurl(build):
    if b"libcurl" + b".so" not in (build / "bin" / "cctx").read_bytes():
        pytest.skip("this build has no libcurl")


# ---- A server of the test's own ----


class Peer:
    """Listens, notes the heads of what it is asked, and lets `answer(connection, head)` do
    the rest, in a thread for each connection."""

    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.heads = []
        self.connections = 0
        self.asked = threading.Semaphore(0)
        self.left = threading.Semaphore(0)  # counts connections that the other side closed
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                while True:
                    head = self._read_head(connection)
                    if head is None:
                        break
                    self.heads.append(head)
                    self.asked.release()
                    self.answer(connection, head)
            except OSError:
                pass
            self.left.release()

    @staticmethod
    def _read_head(connection):
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            text += byte
        return text.decode("latin-1")

    def header(self, name, i=-1):
        found = re.findall(rf"^{name}: (.*)\r$", self.heads[i], re.M | re.I)
        assert len(found) < 2
        return found[0] if found else None

    def close(self):
        self.socket.close()


@pytest.fixture
def peer():
    peers = []

    def start(answer=lambda connection, head: connection.sendall(OK)):
        peers.append(Peer(answer))
        return peers[-1]

    yield start
    for one in peers:
        one.close()


def never(connection, head):
    """No answer: until the other side leaves."""
    assert connection.recv(1) == b""


def cut_short(connection, head):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    connection.close()


@pytest.fixture
def run(build, tmp_path):
    """run(text, *arguments): what `cctx run` prints for a script of Lua, or of Python."""

    def start(language, text, *arguments, options=(), status=0, env=None):
        script = tmp_path / f"script.{language}"
        script.write_text(text)
        done = subprocess.run(
            [str(build / "bin" / "cctx"), "run", *options, str(script), *arguments],
            env={**ENVIRONMENT, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    return start
