# SPDX-License-Identifier: Apache-2.0
"""Calls that handlers make: they carry the context, and end where it does."""

import re
import signal
import socket
import threading
import time

import pytest
from fetching import has_libcurl, never, OK, peer, run  # noqa: F401
from serving import LANGUAGES, route, serve, TRACE_ID, TRACEPARENT  # noqa: F401


# ---- What goes along ----


def test_a_chain_of_servers_is_one_request(serve):
    """Lua asks Python asks Lua: one trace, the metadata, and less time at each step."""
    first = serve(*route("fetch"))
    second = serve(*route("fetch"))
    way = f"/lua?http://127.0.0.1:{second.port}/py?http://127.0.0.1:{first.port}/lua"
    headers = {"traceparent": TRACEPARENT, "baggage": "tenant=acme", "grpc-timeout": "9S"}
    status, body, _ = first.get(way, headers)
    assert status == 200, body
    lines = [line.split() for line in body.splitlines()]
    assert [line[:3] for line in lines] == [
        [language, TRACE_ID, "acme"] for language in ("lua", "py", "lua")
    ]
    left = [float(line[3]) for line in lines]
    assert 9 > left[0] > left[1] > left[2] > 0


def test_a_handler_that_is_not_async_asks_too(serve):
    server = serve("--route", "/a=fetch_sync.py", *route("fetch", "lua"))
    url = f"http://127.0.0.1:{server.port}/lua"
    status, body, _ = server.get(f"/a?{url}", {"baggage": "tenant=acme"})
    assert (status, body.split()[2]) == (200, "acme")


SENT = {
    "lua": """
        local cctx, fetch = require "cctx", require "cctx.fetch"
        local ctx = cctx.background():with_metadata("tenant", "acme")
          :with_value("secret", "s3cret"):with_timeout(30)
        ctx:run(function()
          fetch(arg[1])
          fetch(arg[1], { format = "stranger" })
          fetch(arg[1], { format = false })
          fetch(arg[1], { headers = { Baggage = "mine=1", ["x-empty"] = "" } })
          fetch(arg[1], { context = cctx.background() })
          fetch(arg[1], { method = "PUT", body = "a\\0b" })
        end)
    """,
    "py": """
import cctx, sys
from cctx_fetch import fetch_sync as fetch
ctx = cctx.background().with_metadata("tenant", "acme").with_value("secret", "s3cret")
with cctx.use(ctx.with_timeout(30)):
    fetch(sys.argv[1])
    fetch(sys.argv[1], format="stranger")
    fetch(sys.argv[1], format=None)
    fetch(sys.argv[1], headers={"Baggage": "mine=1", "x-empty": ""})
    fetch(sys.argv[1], context=cctx.background())
    fetch(sys.argv[1], method="PUT", body=b"a\\0b")
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_of_a_context_is_what_its_format_sends(run, peer, language):
    bodies = []

    def answer(connection, head):
        if head.startswith("PUT"):
            bodies.append(connection.recv(3, socket.MSG_WAITALL))
        connection.sendall(OK)

    there = peer(answer)
    run(language, SENT[language], there.url, options=["--set", "trace_id=" + TRACE_ID])
    sent = [(there.header("baggage", i), there.header("grpc-timeout", i)) for i in range(6)]
    assert [baggage for baggage, _ in sent] == [
        "tenant=acme", None, None, "mine=1", None, "tenant=acme",
    ]
    assert [timeout is not None for _, timeout in sent] == [
        True, False, False, True, False, True,
    ]
    assert re.search(r"^x-empty:\s*$", there.heads[3], re.M)
    assert "s3cret" not in "".join(there.heads)
    assert there.heads[5].startswith("PUT / HTTP/1.1\r\n")
    assert (there.header("content-length"), bodies) == ("3", [b"a\0b"])
    assert there.header("content-type") is None
    assert there.header("user-agent").startswith("cctx/")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_timeout_that_is_sent_is_the_smaller_one(run, peer, language):
    there = peer()
    script = {
        "lua": 'require "cctx.fetch"(arg[1], { timeout = tonumber(arg[2]) })',
        "py": "import sys, cctx_fetch\n"
        "cctx_fetch.fetch_sync(sys.argv[1], timeout=float(sys.argv[2]))",
    }[language]
    for timeout, most in (("5", 5), ("500", 50), ("1e300", 50)):
        run(language, script, there.url, timeout, options=["--timeout", "50s"])
        unit = {"u": 1e-6, "m": 1e-3, "n": 1e-9, "S": 1}
        said = there.header("grpc-timeout")
        assert most - 2 < int(said[:-1]) * unit[said[-1]] <= most


# ---- The end of the context ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_time_is_left_no_connection_is_made(serve, run, peer, language):
    there = peer()
    server = serve(*route("fetch", language))
    status, body, _ = server.get(f"/{language}?{there.url}", {"x-timeout": "-1"})
    assert (status, body) == (502, f"fetch {there.url}: no answer within its timeout")
    script = {
        "lua": """
            local cctx, fetch = require "cctx", require "cctx.fetch"
            local ctx = cctx.background():with_cancel()
            ctx:cancel()
            local late = cctx.background():with_timeout(0)
            for _, context in ipairs { ctx, late } do
              local _, what = pcall(fetch, arg[1], { context = context })
              print(what.code)
            end
        """,
        "py": """
import cctx, sys
from cctx_fetch import fetch_sync as fetch
ctx = cctx.background().with_cancel()
ctx.cancel()
for context in ctx, cctx.background().with_timeout(0):
    try:
        fetch(sys.argv[1], context=context)
    except cctx.Canceled as error:
        print("deadline_exceeded" if isinstance(error, TimeoutError) else "canceled")
""",
    }[language]
    assert run(language, script, there.url) == "canceled\ndeadline_exceeded\n"
    assert there.connections == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_deadline_aborts_the_call(serve, peer, language):
    there = peer(never)
    server = serve(*route("fetch", language))
    begin = time.monotonic()
    status, _, _ = server.get(f"/{language}?{there.url}", {"grpc-timeout": "100m"})
    assert status == 504
    assert there.left.acquire(timeout=5), "the peer did not see the connection close"
    assert 0.1 <= time.monotonic() - begin < 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_timeout_of_its_own_ends_the_call_and_not_the_request(serve, peer, language):
    there = peer(never)
    server = serve(*route("fetch", language))
    status, body, _ = server.get(f"/{language}?{there.url}", {"x-timeout": "0.05"})
    assert (status, body) == (502, f"fetch {there.url}: no answer within its timeout")
    assert there.left.acquire(timeout=5)


@pytest.mark.parametrize("file", ["fetch.lua", "fetch.py", "fetch_sync.py"])
def test_a_cancellation_aborts_the_call_and_those_behind_it(serve, peer, file):
    """Two servers and a peer: the first is told to end, and the peer sees it."""
    there = peer(never)
    second = serve(*route("fetch"))
    first = serve("--grace", "0", "--route", f"/a={file}")
    url = f"http://127.0.0.1:{second.port}/lua?{there.url}"
    answers = []
    thread = threading.Thread(target=lambda: answers.append(first.get(f"/a?{url}")[0]))
    thread.start()
    assert there.asked.acquire(timeout=10)
    assert first.stop(signal.SIGTERM) == 0, first.log()
    thread.join()
    assert answers == [503]
    assert second.stop(signal.SIGTERM) == 0
    assert there.left.acquire(timeout=5)


def test_a_task_that_is_canceled_aborts_its_call(run, peer):
    there = peer(never)
    script = """
import asyncio, sys
from cctx_fetch import fetch

async def main():
    task = asyncio.create_task(fetch(sys.argv[1]))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("canceled", flush=True)
    sys.stdin.read()  # this process goes on

asyncio.run(main())
"""
    assert run("py", script, there.url) == "canceled\n"
    assert there.left.acquire(timeout=5)


def test_a_coroutine_that_is_closed_aborts_its_call(serve, peer, tmp_path):
    there = peer(never)

    def once_it_was_asked(connection, head):
        there.asked.acquire(timeout=10)
        connection.sendall(OK)

    gate = peer(once_it_was_asked)
    (tmp_path / "close.lua").write_text(f"""
        local fetch = require "cctx.fetch"
        return function()
          local co = coroutine.create(fetch)
          assert(coroutine.resume(co, "{there.url}"))
          assert(coroutine.status(co) == "suspended")
          fetch "{gate.url}"
          assert(coroutine.close(co))
          while true do coroutine.yield() end
        end
    """)
    server = serve("--grace", "0", "--route", f"/a={tmp_path}/close.lua")
    thread = threading.Thread(target=server.get, args=("/a", {"grpc-timeout": "5S"}))
    thread.start()
    assert there.left.acquire(timeout=4)
    assert server.stop() == 0
    thread.join()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_script_that_blocks_is_stopped_at_its_deadline(run, peer, language, unsanitized):
    there = peer(never)
    script = {
        "lua": 'require "cctx.fetch"(arg[1])',
        "py": "import sys, cctx_fetch\ncctx_fetch.fetch_sync(sys.argv[1])",
    }[language]
    begin = time.monotonic()
    run(language, script, there.url, options=["--timeout", "600ms"], status=124)
    assert time.monotonic() - begin < 10
    assert there.left.acquire(timeout=5)
