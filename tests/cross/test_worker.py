# SPDX-License-Identifier: Apache-2.0
"""One thread that runs an event loop of Python and coroutines of Lua at once: 200 requests
in flight, and each switch between them checked in C, Lua and Python."""

import importlib.util
import os
import pathlib
import socket
import subprocess
import sys

import pytest

WORKER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "worker"
REQUESTS = 200
TIMEOUT = 30  # seconds for anything that may hang


def start(build, command):
    path = [f"{build}/python", WORKER, os.environ.get("PYTHONPATH", "")]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "LUA_CPATH": f"{build}/lua/?.so;;",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Client:
    """One request: its question is read when all have asked theirs."""

    def __init__(self, port, number):
        self.number = number
        self.tenant = "t" * (number % 17 + 1)
        self.many = number % 7 + 1
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.file = self.socket.makefile("rw", newline="\n")
        self.say(f"r{number} {self.tenant}")

    def say(self, line):
        self.file.write(line + "\n")
        self.file.flush()

    def expected(self):
        if self.many > 5:
            return "sold out after 5"
        return f"{self.tenant} pays {self.many * len(self.tenant)}"


def requests(port):
    """The answers to all, in the order in which the requests began."""
    clients = [Client(port, number) for number in range(REQUESTS)]
    try:
        for client in clients:
            assert client.file.readline() == "how many?\n"
        for client in reversed(clients):  # all are in flight
            client.say(str(client.many))
        return [(c.file.readline().rstrip("\n"), c.expected()) for c in clients]
    finally:
        for client in clients:
            client.file.close()
            client.socket.close()


def check_worker(build, command):
    worker = start(build, command)
    try:
        line = worker.stdout.readline()
        if not line.strip().isdigit():
            pytest.fail(line + worker.communicate(timeout=TIMEOUT)[0])
        answers = requests(int(line))
        said = worker.communicate(timeout=TIMEOUT)[0]
    finally:
        worker.kill()
        worker.wait()
    assert [answer for answer, _ in answers] == [expected for _, expected in answers]
    assert (worker.returncode, said) == (0, "contexts alive: 0\n")


def test_200_requests_where_lua_is_outside(build, unsanitized):
    check_worker(build, ["lua5.4", WORKER / "worker.lua"])


def test_200_requests_where_python_is_outside(build, unsanitized):
    if importlib.util.find_spec("lupa") is None:
        pytest.skip("lupa is not installed: pip install lupa")
    check_worker(build, [sys.executable, WORKER / "worker.py"])
