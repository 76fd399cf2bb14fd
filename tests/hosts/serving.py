# SPDX-License-Identifier: Apache-2.0
"""What the tests of `cctx serve` share: servers, and the routes of a handler's languages."""

import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess

import pytest

HANDLERS = pathlib.Path(__file__).resolve().parent / "handlers"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
LANGUAGES = ("lua", "py")
# An embedded Python keeps memory until exit on purpose.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", **os.environ}
ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"


class Server:
    """A running `cctx serve`."""

    def __init__(self, program, log, options, trust):
        self.log_file = log
        with open(log, "w") as stderr:
            self.process = subprocess.Popen(
                [str(program), "serve", "--listen", "127.0.0.1:0", *trust, *options],
                cwd=HANDLERS,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        assert found, f"{line!r}, and on stderr: {self.log()}"
        self.port = int(found[1])
        self.output = None

    def log(self):
        return pathlib.Path(self.log_file).read_text()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path, headers=(), body=None):
        """(status, body, headers) of one request on a connection of its own."""
        connection = self.connect()
        with contextlib.closing(connection):
            connection.putrequest("POST" if body else "GET", path)
            for name, value in headers.items() if isinstance(headers, dict) else headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())

    def stop(self, number=signal.SIGTERM):
        """End it; the exit status."""
        self.process.send_signal(number)
        self.output = self.process.communicate(timeout=30)[0]
        return self.process.returncode


@pytest.fixture
def serve(build, tmp_path):
    """serve("--route", "/a=a.lua", ...): a Server, which must end well after the test."""
    program = build / "bin" / "cctx"
    assert program.exists(), f"{program} is not built: ./dev test builds it"
    servers = []

    def start(*options, trust=("--trust", "baggage")):
        servers.append(Server(program, tmp_path / f"log{len(servers)}", options, trust))
        return servers[-1]

    yield start
    try:
        for server in servers:
            if server.output is None:
                assert server.stop() == 0, server.log()
            assert server.output.endswith("contexts alive: 0\n")
    finally:
        for server in servers:
            server.process.kill()
            server.process.stdout.close()
            server.process.wait()


def route(name, *languages):
    """Options for /lua and /py by the handler of that name."""
    options = []
    for language in languages or LANGUAGES:
        options += ["--route", f"/{language}={name}.{language}"]
    return options


def fail_to_serve(build, options):
    """What it says on stderr when it does not start."""
    if "--listen" not in options:
        options = ["--listen", "127.0.0.1:0", *options]
    done = subprocess.run(
        [str(build / "bin" / "cctx"), "serve", *options],
        cwd=HANDLERS,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cctx serve: ")
    assert done.stderr.count("\n") == 1
    return done.stderr
