# SPDX-License-Identifier: Apache-2.0
"""The servers of docs/server.md: whose context each line of them sees."""

import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS = ROOT / "examples" / "server"
TIMEOUT = 60  # seconds, after which a server that says nothing is killed
LONG = 60_000  # ms, in which no request of these tests should run out of time
LIBRARIES = {"libuv": "libuv", "libevent": "libevent"}  # programs that need one


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Client:
    """A connection to a server that answers lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("r")

    def say(self, *lines):
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def hear(self):
        """The next line; "" when the server has closed."""
        return self.file.readline().rstrip("\n")

    def ask(self, line):
        self.say(line)
        return self.hear()

    def leave(self):
        self.file.close()
        self.socket.close()


class Server:
    """One of the programs, while it runs."""

    def __init__(self, program, build, limit):
        env = {
            "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory until exit on purpose
            **os.environ,
            "PYTHONPATH": f"{SERVERS}:{build}/python",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LUA_CPATH": f"{build}/lua/?.so;;",
        }
        env.pop("LD_PRELOAD", None)
        if program.name != "server":
            del env["ASAN_OPTIONS"]
        self.is_stopped = False
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, str(self.port), str(limit)],
            cwd=SERVERS,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.killer = threading.Timer(TIMEOUT, self.process.kill)
        self.killer.start()
        assert self.read() == f"listening on {self.port}"

    def read(self):
        """The next line that it prints."""
        return self.process.stdout.readline().rstrip("\n")

    def see(self, line):
        """Read on, to that line."""
        while (found := self.read()) != line:
            assert found, f"the server has ended without printing {line!r}"

    def connect(self):
        client = Client(self.port)
        assert self.read() == "nobody: a client has come"
        return client

    def get(self, path):
        """(status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode().rstrip("\n")
        connection.close()
        return answer.status, body

    def send(self, path):
        """A connection on which the answer to `path` may be awaited, or not."""
        client = Client(self.port)
        client.say(f"GET {path} HTTP/1.1\r", "Connection: close\r", "\r")
        return client

    def stop(self):
        """Once: it takes the signal's default back when it ends."""
        if not self.is_stopped:
            self.process.send_signal(signal.SIGTERM)
        self.is_stopped = True


@pytest.fixture
def start(build):
    """start(NAME, limit): a Server, which must end well after the test."""
    servers = []

    def start(program, limit=LONG):
        if isinstance(program, str):
            if program == "fibers" and "thread" in (build / "sanitize.txt").read_text():
                pytest.skip("ThreadSanitizer does not follow the fibers of libc")
            library = LIBRARIES.get(program)
            if library and subprocess.run(["pkg-config", "--exists", library]).returncode:
                pytest.skip(f"there is no {library} here to build examples/server with")
            program = build / "examples" / "server" / program
            assert program.exists(), f"{program} is not built: ./dev test builds it"
        servers.append(Server(program, build, limit))
        return servers[-1]

    yield start
    try:
        for server in servers:
            server.stop()
            server.process.stdout.read()
            assert server.process.wait(timeout=30) == 0
    finally:
        for server in servers:
            server.killer.cancel()
            server.process.kill()
            server.process.stdout.close()
            server.process.wait()


# ---- The server with threads, a loop, Lua and Python ----


@pytest.mark.parametrize("language", ["Lua", "Python"])
def test_the_handler_and_the_c_below_it_see_the_same_tenant(start, language):
    server = start("server")
    said = server.get(f"/{language.lower()}/acme/orders")
    assert said == (200, f"orders of acme, says {language} to acme")
    server.see("acme: answered")


def test_a_late_thread_finds_background_and_what_it_was_handed_is_canceled(start):
    server = start("server")
    server.get("/python/acme/orders")
    said = sorted([server.read(), server.read()])
    assert said == ["acme: answered", "late: ended, None; was acme, canceled"]


@pytest.mark.parametrize("language", ["lua", "python"])
def test_the_deadline_answers_for_a_handler_that_waits(start, language):
    server = start("server", 20)
    assert server.get(f"/{language}/acme/everything") == (503, "deadline_exceeded")
    server.see("acme: context deadline exceeded")


@pytest.mark.parametrize("language", ["lua", "python"])
def test_a_client_that_leaves_stops_its_handler(start, language):
    server = start("server")
    server.send(f"/{language}/acme/everything").leave()
    server.see("acme: the client left")


def test_a_server_that_is_stopped_stops_what_is_under_way(start):
    server = start("server")
    client = server.send("/lua/acme/everything")
    server.send("/lua/globex/everything").leave()
    assert server.read() == "globex: the client left"  # so both have begun
    server.stop()
    assert client.hear().startswith("HTTP/1.0 503")
    assert server.read() == "acme: SIGTERM received"
    client.leave()


def test_a_request_that_is_none_is_closed(start):
    server = start("server")
    client = Client(server.port)
    client.say("HELLO")
    assert client.hear() == ""
    client.leave()
    assert server.get("/lua/acme/orders")[0] == 200


def test_many_requests_at_once_each_see_their_own_tenant(start):
    server = start("server")
    said = {}

    def ask(number):
        tenant = f"acme{chr(ord('a') + number)}"
        language = ("lua", "python")[number % 2]
        said[tenant] = [server.get(f"/{language}/{tenant}/orders") for _ in range(10)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, (tenant, answers) in enumerate(sorted(said.items())):
        language = ("Lua", "Python")[number % 2]
        right = (200, f"orders of {tenant}, says {language} to {tenant}")
        assert answers == [right] * 10


# ---- Lines: libuv, and fibers ----

LINES = pytest.mark.parametrize("name", ["libuv", "fibers"])
WORDS = ["one", "two", "three"]


def ask_in_turns(server):
    """What two clients hear, whose requests are in flight at once."""
    acme, globex = server.connect(), server.connect()
    acme.say("acme")
    globex.say("globex")
    said = [answer for word in WORDS for answer in (acme.ask(word), globex.ask(word))]
    acme.leave()
    globex.leave()
    return said


IN_TURNS = [(tenant, word) for word in WORDS for tenant in ("acme", "globex")]


@LINES
def test_two_requests_in_turns_on_one_thread_never_see_each_other(start, name):
    server = start(name)
    assert ask_in_turns(server) == [f"{word} for {tenant}" for tenant, word in IN_TURNS]
    shown = [server.read() for _ in range(8)]
    assert shown[:6] == [f"{tenant}: {word}" for tenant, word in IN_TURNS]
    assert sorted(shown[6:]) == ["acme: the client left", "globex: the client left"]


@LINES
def test_a_client_that_comes_while_another_is_served_is_nobodys(start, name):
    server = start(name)
    acme = server.connect()
    acme.say("acme")
    assert acme.ask("one") == "one for acme"
    assert server.read() == "acme: one"
    server.connect().leave()  # has read "nobody: a client has come"
    acme.leave()


@LINES
def test_the_deadline_closes_a_slow_request_and_no_other(start, name):
    server = start(name, 20)
    other, slow = server.connect(), server.connect()
    slow.say("acme")
    assert slow.hear() == "deadline_exceeded for acme"
    assert slow.hear() == ""
    assert server.read() == "acme: context deadline exceeded"
    other.say("globex", "")
    assert other.hear() == ""
    assert server.read() == "globex: served"
    slow.leave()
    other.leave()


def test_the_deadline_closes_a_request_whose_answer_does_not_come(start):
    server = start("libuv", 20)
    client = server.connect()
    client.say("acme", "everything")
    assert client.hear() == "deadline_exceeded for acme"
    shown = [server.read(), server.read()]
    assert shown == ["acme: everything", "acme: context deadline exceeded"]
    client.leave()


@LINES
def test_a_client_that_leaves_cancels_its_request(start, name):
    server = start(name)
    client = server.connect()
    client.say("acme")
    client.leave()
    assert server.read() == "acme: the client left"


@LINES
def test_a_client_that_sends_lines_together_is_answered_in_order(start, name):
    server = start(name)
    client = server.connect()
    client.say("acme", *WORDS, "")
    assert [client.hear() for _ in WORDS] == [f"{word} for acme" for word in WORDS]
    assert client.hear() == ""
    client.leave()


@LINES
def test_a_line_that_is_too_long_stops_its_request_alone(start, name):
    server = start(name)
    long, other = server.connect(), server.connect()
    other.say("globex")
    long.say("acme", "x" * 1000)
    assert server.read().startswith("acme: ")
    assert other.ask("one") == "one for globex"
    long.leave()
    other.leave()


@LINES
def test_stopped_it_closes_those_who_wait_and_ends(start, name):
    server = start(name)
    begun, idle = server.connect(), server.connect()
    begun.say("acme")
    assert begun.ask("one") == "one for acme"
    server.stop()
    assert idle.hear() == ""
    said = begun.hear()
    assert said in ("", "canceled for acme")
    shown = [server.read(), server.read()]
    assert shown == ["acme: one", "acme: SIGTERM received"]
    begun.leave()
    idle.leave()


SWAP = re.compile(r"cctx_stack \*own = .*|fiber->scopes = cctx_stack_swap\(own\);")


def test_fibers_that_do_not_switch_their_scopes_see_each_other(
    start, build, unsanitized, tmp_path
):
    code, count = SWAP.subn("", (SERVERS / "fibers.c").read_text())
    assert count == 2
    (tmp_path / "wrong.c").write_text(code)
    program = tmp_path / "wrong"
    libraries = ["-L", build, "-l:libcctx.so.0", f"-Wl,-rpath,{build}"]
    subprocess.run(
        ["cc", "-D_DEFAULT_SOURCE", "-I", ROOT / "core/include", tmp_path / "wrong.c",
         *libraries, "-o", program], check=True)  # fmt: skip
    said = ask_in_turns(start(program))
    assert said[0] == said[1] in ("one for acme", "one for globex")  # who began last


# ---- libevent ----


def test_requests_that_wait_are_woken_each_under_its_own(start):
    server = start("libevent")
    waiting = []
    for tenant in ("acme", "globex"):
        waiting.append(server.send(f"/{tenant}/wait"))
        assert server.read() == f"{tenant}: waits"
    assert server.get("/hooli/wake") == (200, "done for hooli")
    shown = [server.read() for _ in range(3)]
    assert shown == ["hooli: wakes", "acme: woken", "globex: woken"]
    for tenant, client in zip(("acme", "globex"), waiting):
        assert client.file.read().endswith(f"woken for {tenant}\n")
        client.leave()


def test_one_that_nobody_wakes_is_answered_at_its_deadline(start):
    server = start("libevent", 20)
    assert server.get("/acme/wait") == (503, "context deadline exceeded for acme")
    assert server.get("/") == (404, "nothing for nobody")


def test_one_whose_client_leaves_is_forgotten(start):
    server = start("libevent")
    leaving = server.send("/acme/wait")
    assert server.read() == "acme: waits"
    leaving.leave()
    assert server.read() == "acme: the client left"
    assert server.get("/globex/wake") == (200, "done for globex")


def test_one_that_waits_is_answered_when_the_server_stops(start):
    server = start("libevent")
    client = server.send("/acme/wait")
    assert server.read() == "acme: waits"
    server.stop()
    assert client.hear().startswith("HTTP/1.1 503")
    assert server.read() == "acme: SIGTERM received"
    client.leave()
