# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of `cctx serve`: the debug listener, its counters, and the log."""

import contextlib
import http.client
import json
import pathlib
import re
import socket
import sys
import threading
import time

import pytest

from serving import TRACE_ID, TRACEPARENT, fail_to_serve, route, serve  # noqa: F401

HOLD = ["--route", "/lua=hold.lua"]
PATIENCE = 20  # seconds until something must have happened


class Debug:
    """The debug listener of a server that was started with --debug."""

    def __init__(self, server):
        line = server.process.stdout.readline()
        found = re.fullmatch(r"debugging on 127\.0\.0\.1:(\d+)\n", line)
        assert found, line
        self.port = int(found[1])

    def ask(self, path, method="GET", host=None):
        """(status, body, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            headers = {"Host": host} if host else {}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())

    def tree(self, n=0):
        """What is worked on, when that is `n` requests."""
        end = time.monotonic() + PATIENCE
        while True:
            status, body, _ = self.ask("/tree.json")
            assert status == 200
            tree = json.loads(body)
            if tree["in_flight"] == n:
                return tree
            assert time.monotonic() < end, tree
            time.sleep(0.01)

    def metrics(self):
        return self.ask("/metrics")[1]


@pytest.fixture
def debugged(serve):  # noqa: F811
    """debugged(OPTION...): (Server, Debug)"""

    def start(*options, **kwargs):
        server = serve("--debug", "127.0.0.1:0", *options, **kwargs)
        return server, Debug(server)

    return start


@contextlib.contextmanager
def held(server, debug, *paths, headers=None):
    """The tree while these requests are worked on; then they meet their deadline."""
    headers = {"Grpc-Timeout": "2S", **(headers or {})}
    threads = [threading.Thread(target=server.get, args=(p, headers)) for p in paths]
    for thread in threads:
        thread.start()
    yield debug.tree(len(paths))
    for thread in threads:
        thread.join()


def nodes(request, kind):
    return [node for node in request["context"]["path"] if node["kind"] == kind]


# ---- The tree ----


def test_the_tree_shows_what_is_worked_on_with_its_context(debugged):
    server, debug = debugged(*HOLD)
    headers = {"Traceparent": TRACEPARENT, "Baggage": "tenant=acme,user=ada"}
    with held(server, debug, "/lua?a=b", headers=headers) as tree:
        (request,) = tree["requests"]
        assert (request["method"], request["path"]) == ("GET", "/lua")
        assert (request["route"], request["language"]) == ("/lua", "lua")
        assert request["trace"] == TRACE_ID
        assert 0 <= request["age"] < PATIENCE
        context = request["context"]
        assert (context["status"], context["cause"]) == ("live", None)
        assert 0 < context["remaining"] <= 2
        assert context["path"][0]["kind"] == "background"
        assert context["path"][-1]["kind"] == "request"
        assert nodes(request, "deadline")[0]["remaining"] <= 2
        names = [pair["name"] for pair in nodes(request, "metadata")[0]["metadata"]]
        assert names == ["tenant", "user"]
        assert tree["more"] == 0 and tree["contexts_alive"] > 0
    assert debug.tree(0)["requests"] == []


@pytest.mark.parametrize("values", (False, True))
def test_values_are_shown_only_if_the_command_line_says_so(debugged, values):
    server, debug = debugged(*HOLD, *["--debug-values"][: int(values)])
    headers = {"Traceparent": TRACEPARENT, "Baggage": "tenant=acme"}
    with held(server, debug, "/lua", headers=headers) as tree:
        assert tree["values"] == values
        assert ("acme" in json.dumps(tree)) == values
        pair = {"name": "tenant", "scope": "request"}
        pair.update({"value": "acme"} if values else {})
        assert nodes(tree["requests"][0], "metadata")[0]["metadata"] == [pair]


def test_what_strangers_send_is_text_in_the_tree(debugged, tmp_path):
    (tmp_path / "hold.lua").write_bytes(
        b"local cctx = require 'cctx'\n"
        b"return function() while not cctx.err() do coroutine.yield() end return '' end"
    )
    evil = '/<script>"\\'
    server, debug = debugged(f"--route={evil}={tmp_path}/hold.lua", "--debug-values")
    sent = {"Baggage": "tenant=%3C%2Fscript%3E%22%00%FF%1B%5B0m"}
    with held(server, debug, "/%3Cscript%3E%22%5C", headers=sent) as tree:
        (request,) = tree["requests"]
        assert request["path"] == request["route"] == evil
        _, body, headers = debug.ask("/tree.json")
        assert "<" not in body and "\x1b" not in body and "\0" not in body
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-type"] == "application/json"


def test_the_oldest_requests_are_shown_and_the_others_counted(debugged):
    server, debug = debugged(*HOLD)
    with held(server, debug, *["/lua"] * 105) as tree:
        numbers = [request["number"] for request in tree["requests"]]
        assert len(numbers) == 100 and tree["more"] == 5
        assert numbers == sorted(numbers)


def test_the_page_lets_no_script_but_its_own_run(debugged):
    _, debug = debugged(*HOLD)
    status, body, headers = debug.ask("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert re.findall(r"(?:src|href)=\"([^\"]*)", body).count("/debug.js") == 1
    assert "http:" not in body and "https:" not in body
    assert debug.ask("/debug.js")[0] == 200


def test_a_name_that_leads_here_gets_nothing(debugged):
    """DNS rebinding: a page elsewhere makes its own name lead to 127.0.0.1."""
    _, debug = debugged(*HOLD)
    for host, status in [
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
    ]:
        assert (host, debug.ask("/tree.json", host=host)[0]) == (host, status)
        assert (host, debug.ask("/", host=host)[0]) == (host, status)


def test_only_get_and_only_its_pages_are_answered(debugged):
    _, debug = debugged(*HOLD)
    assert debug.ask("/nothing")[0] == 404
    status, _, headers = debug.ask("/tree.json", method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert debug.ask("/metrics", method="HEAD")[:2] == (200, "")


@pytest.mark.parametrize(
    "options, said",
    [
        (["--debug", "nowhere"], '"nowhere" of --debug is no address'),
        (["--debug-values"], "--debug-values says what --debug ADDRESS:PORT shows"),
        (["--log-format", "xml"], '"xml" of --log-format is neither "text" nor "json"'),
    ],
)
def test_bad_options_are_told_in_one_sentence(build, options, said):
    assert said in fail_to_serve(build, [*HOLD, *options])


# ---- The counters ----


def test_counters_tell_what_was_answered_and_how(debugged):
    server, debug = debugged("--route", "/held=hold.lua", *route("who", "lua"))
    server.get("/lua")
    server.get("/nowhere")
    assert server.get("/held", {"Grpc-Timeout": "20m", "Traceparent": "nonsense"})[0] == 504
    text = debug.metrics()
    for line in [
        'cctx_requests_total{route="/lua",language="lua",status="2xx"} 1',
        'cctx_requests_total{route="/held",language="lua",status="5xx"} 1',
        'cctx_requests_total{route="",language="",status="4xx"} 1',
        'cctx_request_duration_seconds_bucket{route="/held",language="lua",le="0.010"} 0',
        'cctx_request_duration_seconds_bucket{route="/held",language="lua",le="+Inf"} 1',
        'cctx_request_duration_seconds_count{route="/held",language="lua"} 1',
        "cctx_requests_deadline_exceeded_total 1",
        'cctx_requests_canceled_total{cause="shutdown"} 0',
        'cctx_carrier_fields_total{kind="malformed"} 1',
        "cctx_requests_in_flight 0",
    ]:
        assert line in text.splitlines()
    assert re.search(r"^cctx_contexts_alive \d+$", text, re.M)
    assert re.search(r"^cctx_connections \d+$", text, re.M)


def test_a_client_that_leaves_is_counted_and_logged_as_that(debugged):
    server, debug = debugged(*HOLD)
    connection = server.connect()
    connection.request("GET", "/lua", headers={"Grpc-Timeout": "20S"})
    debug.tree(1)
    connection.close()
    debug.tree(0)
    counted = 'cctx_requests_canceled_total{cause="client_left"} 1'
    end = time.monotonic() + PATIENCE
    while counted not in debug.metrics():
        assert time.monotonic() < end, debug.metrics()
        time.sleep(0.01)
    assert server.stop() == 0
    assert re.search(r" GET /lua 499 [\d.]+ ms client_left\n", server.log())


LONG = "return function() return ('x'):rep(50000000) end"


@pytest.mark.parametrize("sent", [b"", b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_client_that_is_too_slow_is_counted(debugged, tmp_path, sent):
    """It sends no request, or reads no answer."""
    (tmp_path / "long.lua").write_text(LONG)
    server, debug = debugged(f"--route=/long={tmp_path}/long.lua", "--idle-timeout=200ms")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(sent)
        end = time.monotonic() + PATIENCE
        while "cctx_connections_timed_out_total 1\n" not in debug.metrics():
            assert time.monotonic() < end, debug.metrics()
            time.sleep(0.01)


LATE = """
import os, time
def handler(request):
    while not os.path.exists(request.query): time.sleep(0.005)
    return "late"
"""


def test_a_late_worker_is_in_the_tree_until_it_ends(debugged, tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    server, debug = debugged(f"--route=/py={tmp_path}/late.py")
    status, _, _ = server.get(f"/py?{tmp_path}/go", {"Grpc-Timeout": "30m"})
    assert status == 504
    (request,) = debug.tree(1)["requests"]
    assert request["context"]["status"] == "deadline_exceeded"
    assert "cctx_requests_deadline_exceeded_total 1" in debug.metrics()
    (tmp_path / "go").touch()
    debug.tree(0)
    assert re.search(r" 504 [\d.]+ ms deadline_exceeded\n", server.log())


def test_prometheus_reads_the_counters(debugged, tmp_path):
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="prometheus_client is not installed"
    )
    (tmp_path / "hold.lua").write_text("return function() return '' end")
    server, debug = debugged(f'--route=/a"\\b={tmp_path}/hold.lua')
    assert server.get("/a%22%5Cb")[0] == 200
    families = {f.name: f for f in parser.text_string_to_metric_families(debug.metrics())}
    assert {f.type for f in families.values()} == {"counter", "gauge", "histogram"}
    assert all(f.documentation for f in families.values())
    counted = {
        (s.labels["route"], s.labels["status"]): s.value
        for s in families["cctx_requests"].samples
    }
    assert counted['/a"\\b', "2xx"] == 1
    samples = families["cctx_request_duration_seconds"].samples
    buckets = [s.value for s in samples if s.labels == {**s.labels, "route": '/a"\\b'}]
    assert buckets[:12] == sorted(buckets[:12])


# ---- The log ----


def test_a_line_of_a_request_that_was_stopped_says_why(debugged):
    server, _ = debugged(*HOLD)
    server.get("/lua", {"Grpc-Timeout": "20m"})
    assert re.search(r" GET /lua 504 [\d.]+ ms deadline_exceeded\n", server.log())


RAISES = "return function() error('a\\r\\27[31mb\\nrequest=9 c\\127\\xc3\\xa9', 0) end"


def test_an_error_writes_no_control_characters_into_the_log(debugged, tmp_path):
    (tmp_path / "raise.lua").write_text(RAISES)
    server, _ = debugged(f"--route=/raise={tmp_path}/raise.lua")
    assert server.get("/raise")[0] == 500
    log = server.log()
    assert "a\\x0d\\x1b[31mb\n  request=9 c\\x7f\\xc3\\xa9\n" in log


def test_the_log_is_json_when_asked(debugged, tmp_path):
    (tmp_path / "raise.lua").write_text(RAISES)
    options = [f"--route=/raise={tmp_path}/raise.lua", *HOLD, "--log-format", "json"]
    server, _ = debugged(*options)
    server.get("/raise", {"Traceparent": TRACEPARENT})
    server.get("/lua", {"Grpc-Timeout": "20m"})
    error, raised, stopped = map(json.loads, server.log().splitlines())
    assert error["request"] == raised["request"] == 1
    assert error["trace"] == raised["trace"] == TRACE_ID
    assert error["error"].startswith("a\r\x1b[31mb\nrequest=9 c\x7fé\n")
    assert (raised["method"], raised["path"], raised["status"]) == ("GET", "/raise", 500)
    assert raised["ms"] >= 0 and "cause" not in raised
    assert (stopped["status"], stopped["cause"]) == (504, "deadline_exceeded")
