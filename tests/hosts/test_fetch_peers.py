# SPDX-License-Identifier: Apache-2.0
"""Calls that handlers make: peers that do not behave, bad input, many at once."""

import ast
import collections
import http.server
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from fetching import cut_short, has_libcurl, OK, peer, run  # noqa: F401
from serving import LANGUAGES, route, serve  # noqa: F401


# ---- Peers that do not behave ----


def endless_body(connection, head):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def endless_headers(connection, head):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x: y\r\n" * 100)


def no_http(connection, head):
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.close()


PEERS = {
    endless_body: "the body of the answer is too long",
    endless_headers: "",
    no_http: "",
    cut_short: "",
}


@pytest.mark.parametrize("behave", PEERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_peer_that_does_not_behave_is_an_error(serve, peer, language, behave):
    there = peer(behave)
    server = serve(*route("fetch", language))
    status, body, _ = server.get(f"/{language}?{there.url}")
    assert status == 502
    assert body.startswith(f"fetch {there.url}: {PEERS[behave]}")


def test_a_refused_connection_is_an_error_that_names_no_query(serve):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server = serve(*route("fetch"))
    for language in LANGUAGES:
        url = f"http://user:secret@127.0.0.1:{port}/a?token=secret"
        status, body, _ = server.get(f"/{language}?{url}")
        assert status == 502
        assert body.startswith(f"fetch http://127.0.0.1:{port}/a: ")
        assert "onnect" in body and "secret" not in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_redirect_is_an_answer(serve, peer, language):
    def redirect(connection, head):
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
        )

    there = peer(redirect)
    server = serve(*route("fetch", language))
    assert server.get(f"/{language}?{there.url}")[0] == 302
    assert len(there.heads) == 1


# ---- Bad input ----

BAD = [
    ("no url", "", "is none"),
    ("http://127.0.0.1/a b", "", "is none"),
    ("http://127.0.0.1/\r\nx: y", "", "is none"),
    ("http://\u00e4/", "", "is none"),
    ("file:///etc/passwd", "", "neither of http nor of https"),
    ("gopher://127.0.0.1/", "", "neither of http nor of https"),
    ("http://127.0.0.1:1/", "method=GET /", "method"),
    ("http://127.0.0.1:1/", "format=environment", "format"),
    ("http://127.0.0.1:1/", "format=nonsense", "format"),
    ("http://127.0.0.1:1/", "header=x:a\r\nb: c", "header x of fetch has a control"),
    ("http://127.0.0.1:1/", "header=x:a\nb: c", "header x of fetch has a control"),
    ("http://127.0.0.1:1/", "header=x y:a", "no name of HTTP"),
    ("http://127.0.0.1:1/", "header=x\r\n:a", "no name of HTTP"),
    ("http://127.0.0.1:1/", "header=Content-Length:7", "is made by fetch itself"),
    ("http://127.0.0.1:1/", "header=transfer-encoding:a", "is made by fetch itself"),
]
TRY = {
    "lua": """
        local fetch = require "cctx.fetch"
        local key, value = arg[2]:match "^(.-)=(.*)$"
        local options = key == "header"
          and { headers = { [value:match "^(.-):"] = value:match ":(.*)" } }
          or key and { [key] = value } or {}
        print(select(2, pcall(fetch, arg[1], options)))
    """,
    "py": """
import sys
from cctx_fetch import fetch_sync
key, _, value = sys.argv[2].partition("=")
name, _, text = value.partition(":")
options = {"headers": {name: text}} if key == "header" else {key: value} if key else {}
try:
    fetch_sync(sys.argv[1], **options)
except ValueError as error:
    print(error)
""",
}


@pytest.mark.parametrize("url, option, said", BAD)
@pytest.mark.parametrize("language", LANGUAGES)
def test_bad_input_is_told_and_nothing_is_sent(run, language, url, option, said):
    assert said in run(language, TRY[language], url, option)


def test_options_of_the_wrong_type_are_told(run):
    script = """
        local fetch = require "cctx.fetch"
        local url = "http://127.0.0.1:1/"
        for _, options in ipairs {
          { timeuot = 1 }, { timeout = "1" }, { body = 1 }, { headers = "x" },
          { headers = { x = true } }, { context = 1 }, { body_max = -1 }, { method = 1 },
          { method = "G\\0" },
        } do print(select(2, pcall(fetch, url, options))) end
        print(pcall(fetch))
    """
    lines = run("lua", script).splitlines()
    assert len(lines) == 10
    for line, said in zip(
        lines,
        ["no option timeuot", "timeout", "body", "headers", "header", "context", "body_max",
         "method", "NUL", "URL"],
    ):
        assert said in line
    assert not [line for line in lines if "onnect" in line]


# ---- Many ----


def barrier(n):
    """Answers once `n` have asked."""
    all_here = threading.Barrier(n)

    def answer(connection, head):
        all_here.wait(30)
        connection.sendall(OK)

    return answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_100_calls_of_one_worker_do_not_block_each_other(serve, peer, language):
    there = peer(barrier(100))
    server = serve("--workers", "1", *route("fetch", language))
    answers = collections.Counter()

    def ask():
        answers[server.get(f"/{language}?{there.url}")[0]] += 1

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {200: 100}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_connection_is_used_again(serve, peer, language):
    there = peer()
    server = serve(*route("fetch", language))
    for _ in range(5):
        assert server.get(f"/{language}?{there.url}")[0] == 200
    assert (there.connections, len(there.heads)) == (1, 5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_descriptor_is_left_of_a_call(run, peer, language):
    there = peer(cut_short)
    script = {
        "lua": """
            local fetch = require "cctx.fetch"
            local function count()
              local pipe, n = io.popen "ls /proc/$PPID/fd | wc -l", nil
              n = tonumber(pipe:read "a")
              pipe:close()
              return n
            end
            local before
            for i = 1, 50 do
              pcall(fetch, arg[1])
              collectgarbage()
              if i == 10 then before = count() end
            end
            print(count() - before < 10)
        """,
        "py": """
import asyncio, os, sys
from cctx_fetch import fetch, FetchError

async def main():
    for i in range(50):
        try:
            await fetch(sys.argv[1])
        except FetchError:
            pass
        if i == 10:
            before = len(os.listdir("/proc/self/fd"))
    print(str(len(os.listdir("/proc/self/fd")) - before < 10).lower())

asyncio.run(main())
""",
    }[language]
    assert run(language, script, there.url) == "true\n"


# ---- Surroundings ----


class Silent(http.server.BaseHTTPRequestHandler):
    """Answers 501, and writes no log."""

    def log_message(self, *arguments):
        pass


def test_proxies_of_the_environment_are_not_used(run, peer):
    there = peer()
    env = {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    env["no_proxy"] = ""
    script = 'print(require "cctx.fetch"(arg[1]).status)'
    assert run("lua", script, there.url, env=env) == "200\n"


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to certify")
def test_a_certificate_is_checked(run, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, stderr=subprocess.DEVNULL)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}/"
    script = 'local ok, answer = pcall(require "cctx.fetch", arg[1])\n'
    script += "print(ok and answer.status or answer)"
    try:
        assert "certificate" in run("lua", script, url)
        env = {"SSL_CERT_FILE": str(certificate)}
        assert run("lua", script, url, env=env) == "501\n"
    finally:
        server.shutdown()
        server.server_close()


def test_the_child_of_a_fork_has_calls_of_its_own(run, peer, unsanitized):
    there = peer()
    script = """
import os, sys
from cctx_fetch import fetch_sync
assert fetch_sync(sys.argv[1]).body == b"ok"
child = os.fork()
if child == 0:
    print(fetch_sync(sys.argv[1]).status, flush=True)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print(fetch_sync(sys.argv[1]).status)
"""
    assert run("py", script, there.url) == "200\n200\n"
    assert there.connections == 2


def test_where_lua_cannot_yield_a_call_blocks(serve, peer, tmp_path):
    there = peer()
    (tmp_path / "early.lua").write_text(f"""
        local fetch = require "cctx.fetch"
        local status = fetch("{there.url}").status
        return function()
          table.sort({{ 2, 1 }}, function(a, b)
            status = status .. " " .. fetch("{there.url}").status
            return a < b
          end)
          return status
        end
    """)
    server = serve("--workers", "1", "--route", f"/a={tmp_path}/early.lua")
    status, body, _ = server.get("/a")
    assert status == 200
    assert set(body.split()) == {"200"} and len(body.split()) > 1


def test_the_stub_is_as_the_module(run):
    """The same names, and the same parameters."""
    script = """
import inspect
import cctx_fetch
for name in cctx_fetch.__all__:
    thing = getattr(cctx_fetch, name)
    if inspect.isfunction(thing):
        print(name, inspect.iscoroutinefunction(thing), *inspect.signature(thing).parameters)
print(*cctx_fetch.__all__)
"""
    stub = ast.parse((pathlib.Path(__file__).parents[2] / "host/cctx_fetch.pyi").read_text())
    lines = []
    for node in stub.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = [arg.arg for arg in node.args.args + node.args.kwonlyargs]
            lines.append([node.name, str(isinstance(node, ast.AsyncFunctionDef)), *names])
        elif isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            exported = ast.literal_eval(node.value)
    expected = [" ".join(line) for line in lines] + [" ".join(exported)]
    assert run("py", script).splitlines() == expected


def test_an_answer_is_a_status_headers_and_a_body(run, peer):
    def answer(connection, head):
        connection.sendall(
            b"HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\n"
            b"HTTP/1.1 404 No\r\nX-A: 1\r\nx-a:  2 \r\nX-Latin: \xe9\r\n"
            b"Content-Length: 3\r\n\r\na\0b"
        )

    there = peer(answer)
    script = """
        local answer = require "cctx.fetch"(arg[1])
        local headers = answer.headers
        print(answer.status, #answer.body, headers["x-a"], #headers["x-latin"],
          headers["x-interim"])
    """
    assert run("lua", script, there.url) == "404\t3\t1, 2\t1\tnil\n"
    script = """
import sys
from cctx_fetch import fetch_sync
answer = fetch_sync(sys.argv[1])
print(ascii((answer.status, answer.body, answer.headers["x-a"], answer.headers["x-latin"])))
"""
    assert run("py", script, there.url) == r"(404, b'a\x00b', '1, 2', '\xe9')" + "\n"


def test_a_context_that_was_lost_on_the_way_is_counted(run, peer):
    there = peer()
    script = """
        local cctx, fetch = require "cctx", require "cctx.fetch"
        local ctx = cctx.background():with_metadata("tenant", "acme")
        cctx.backup(ctx, function()
          fetch(arg[1])
          print(cctx.backup_mistakes().lost)
          fetch(arg[1], { context = cctx.background():with_timeout(5) })
          print(cctx.backup_mistakes().lost)
        end)
    """
    assert run("lua", script, there.url) == "0\n1\n"
