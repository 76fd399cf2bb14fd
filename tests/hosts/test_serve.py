# SPDX-License-Identifier: Apache-2.0
"""`cctx serve`: each request under its own context, in Lua and Python, and a clean end."""

import contextlib
import pathlib
import re
import signal
import socket
import threading
import time

import pytest
from serving import (  # noqa: F401
    LANGUAGES,
    TRACE_ID,
    TRACEPARENT,
    fail_to_serve,
    route,
    serve,
)


def fields(body):
    lines = body.lower().replace("none", "nil").split("\n")
    return dict(line.split("=", 1) for line in lines)


# ---- What a handler sees ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_context_of_the_request_is_seen_in_the_script_and_in_c(serve, language):
    server = serve(*route("who", language))
    headers = {"Traceparent": TRACEPARENT, "Baggage": "tenant=acme", "Grpc-Timeout": "4S"}
    status, body, _ = server.get(f"/{language}", headers)
    seen = fields(body)
    assert status == 201
    assert seen["tenant"] == seen["tenant in c"] == "acme"
    assert seen["trace"] == TRACE_ID
    assert seen["deadline"] == seen["short"] == "true"


@pytest.mark.parametrize("language", LANGUAGES)
def test_metadata_that_goes_back_is_in_the_answer(serve, language):
    server = serve(*route("back", language))
    for query, expected in ("", 200), ("?raise", 500):
        status, body, answered = server.get(f"/{language}{query}")
        assert (status, int(answered["Content-Length"])) == (expected, len(body))
        names = {name.lower() for name in answered}
        assert answered["x-cost"] == "3"
        assert not names & {"x-split", "x-evil", "x-nul"}
        if status == 200:
            assert answered["x-own"] == {"lua": "lua", "py": "python"}[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_request_itself_is_an_argument(serve, language):
    server = serve(*route("who", language))
    headers = [("X-Test", "1"), ("x-TEST", "2")]
    status, body, answered = server.get(f"/{language}?a=b&c=%20", headers, b"the body")
    seen = fields(body)
    assert seen["request"] == f"post /{language}?a=b&c=%20"
    assert seen["header"] == "1, 2"
    assert seen["body"] == "the body"
    assert answered["X-Answer"] == {"lua": "lua", "py": "python"}[language]
    assert answered["content-type"] == "text/plain; charset=utf-8"


BAD_HEADERS = {
    "malformed": [
        ("traceparent", "nonsense"),
        ("baggage", "no baggage"),
        ("grpc-timeout", "1x"),
    ],
    "two traceparents": [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)],
    "too long": [
        ("traceparent", TRACEPARENT + "-" + "0" * 9000),
        ("baggage", "tenant=" + "a" * 9000),
    ],
    "too long when joined": [
        ("baggage", "tenant=a,b=" + "b" * 5000),
        ("baggage", "c=" + "c" * 5000),
    ],
    "two timeouts": [("grpc-timeout", "1S"), ("grpc-timeout", "1S")],
    "none": [],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_with_bad_headers_is_served_without_them(serve, language):
    server = serve(*route("who", language))
    for name, headers in BAD_HEADERS.items():
        status, body, _ = server.get(f"/{language}", headers)
        seen = fields(body)
        assert (name, status) == (name, 201)
        assert (name, seen["tenant"], seen["trace"]) == (name, "nil", "nil")
        assert (name, seen["deadline"], seen["short"]) == (name, "true", "false")


def test_a_same_boot_deadline_is_not_taken_from_a_stranger(serve):
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    server = serve(*route("who", "lua"))
    status, _, _ = server.get("/lua", {"cctx-deadline": f"{boot_id}:1"})
    assert status == 201


def test_clients_are_strangers_unless_they_are_trusted(serve):
    """They say their trace and a deadline, and no metadata."""
    server = serve(*route("who", "lua"), trust=())
    headers = {"baggage": "tenant=acme", "grpc-timeout": "3S", "traceparent": TRACEPARENT}
    seen = fields(server.get("/lua", headers)[1])
    assert (seen["tenant"], seen["trace"], seen["short"]) == ("nil", TRACE_ID, "true")


def test_several_baggage_headers_are_one(serve):
    server = serve(*route("who", "lua"))
    headers = [("baggage", "a=1"), ("baggage", "tenant=acme")]
    assert fields(server.get("/lua", headers)[1])["tenant"] == "acme"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_sees_nothing_of_the_one_before(serve, language):
    server = serve("--workers", "1", *route("who", language))
    connection = server.connect()
    with contextlib.closing(connection):  # the same connection, thread and interpreter
        for tenant in ("acme", "nil", "globex", "nil"):
            headers = {} if tenant == "nil" else {"baggage": f"tenant={tenant}"}
            connection.request("GET", f"/{language}", headers=headers)
            seen = fields(connection.getresponse().read().decode())
            assert seen["tenant"] == seen["tenant in c"] == tenant


def test_a_context_variable_set_by_one_request_is_not_there_for_the_next(serve):
    server = serve("--workers", "1", "--route", "/leak=leak.py")
    assert server.get("/leak?1")[1] == "the module"
    assert server.get("/leak?2")[1] == "the module"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_context_that_is_kept_is_canceled_with_its_request(serve, language):
    server = serve("--workers", "1", *route("keep", language))
    first = server.get(f"/{language}", {"baggage": "tenant=acme"})[1]
    assert first == {"lua": "acme nil", "py": "acme None"}[language]
    second = server.get(f"/{language}", {"baggage": "tenant=globex"})[1]
    assert second == "acme canceled"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_handler_leaves_running_is_nobodys_once_its_request_ended(serve, language):
    server = serve("--workers", "1", *route("left", language))
    first = server.get(f"/{language}", {"baggage": "tenant=acme"})[1]
    assert first.replace("None", "nil") == "acme acme nil"
    second = server.get(f"/{language}", {"baggage": "tenant=globex"})[1]
    assert second.replace("None", "nil") == "nil nil nil, acme acme canceled"


def test_64_requests_at_once_each_see_their_own_context(serve):
    """In one Lua worker and one Python worker, with every request begun before any ends."""
    server = serve("--workers", "1", *route("barrier"))
    answers = {}

    def ask(language, number):
        mine = f"{language}-{number}"
        answers[mine] = server.get(f"/{language}?{mine}", {"baggage": f"tenant={mine}"})[:2]

    whom = [(language, number) for language in LANGUAGES for number in range(64)]
    threads = [threading.Thread(target=ask, args=one) for one in whom]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 128
    assert answers == {mine: (200, mine) for mine in answers}


# ---- Answers that are not the handler's ----


def test_an_unknown_path_is_404(serve):
    server = serve(*route("who"))
    for path in ("/", "/lua/", "/LUA", "/luas", "/lua%00", "/lua%00/x"):
        assert (path, server.get(path)[0]) == (path, 404)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_body_over_1_mib_is_413(serve, language):
    server = serve(*route("who", language))
    limit = 1 << 20
    status, body, _ = server.get(f"/{language}", body=b"b" * limit)
    assert status == 201
    assert fields(body)["body"] == "b" * limit
    connection = server.connect()
    with contextlib.closing(connection):  # in pieces: its length is not told before
        pieces = (b"b" * 65536 for _ in range(17))
        headers = {"Transfer-Encoding": "chunked"}
        connection.request("POST", f"/{language}", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    connection = server.connect()
    with contextlib.closing(connection):
        connection.putrequest("POST", f"/{language}")
        connection.putheader("Content-Length", str(limit + 1))
        connection.endheaders()  # refused before the body is sent
        assert connection.getresponse().status == 413


FAILURES = {
    "lua": {
        "raise": (500, "boom of Lua"),
        "object": (500, "an object"),
        "later": (500, "boom after a wait"),
        "number": (500, "where the body"),
        "status": (500, "from 200 to 599"),
        "headers": (500, "a header"),
        "deadline": (504, ""),
        "canceled": (503, ""),
    },
    "py": {
        "raise": (500, "ValueError: boom of Python"),
        "later": (500, "ValueError: boom after a wait"),
        "exit": (500, "SystemExit"),
        "leave": (500, "SystemExit"),
        "timeout": (500, "TimeoutError"),
        "number": (500, "where str or bytes"),
        "status": (500, "from 200 to 599"),
        "headers": (500, "TypeError"),
        "tuple": (500, "of 2 or 3"),
        "deadline": (504, ""),
        "canceled": (503, ""),
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_handler_that_fails_is_logged_and_the_next_request_is_served(serve, language):
    server = serve("--workers", "1", *route("fail", language))
    for way, (status, said) in FAILURES[language].items():
        before = len(server.log())
        answered, body, _ = server.get(f"/{language}?{way}", {"traceparent": TRACEPARENT})
        assert (way, answered) == (way, status)
        assert "boom" not in body
        log = server.log()[before:]
        assert said in log
        assert all(line.startswith(("request=", "  ")) for line in log.splitlines())
        assert f" trace={TRACE_ID} " in log.splitlines()[0]
        assert server.get(f"/{language}?none")[:2] == (200, "fine")


# ---- Deadlines ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_handler_that_waits_is_stopped_at_the_callers_deadline(serve, language):
    server = serve(*route("wait", language))
    begin = time.monotonic()
    status, body, _ = server.get(f"/{language}", {"grpc-timeout": "100m"})
    assert (status, body) == (504, "context deadline exceeded\n")
    assert time.monotonic() - begin >= 0.1


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_caller_gets_more_than_timeout_max(serve, language):
    server = serve("--timeout-max", "100ms", *route("wait", language))
    assert server.get(f"/{language}")[0] == 504
    assert server.get(f"/{language}", {"grpc-timeout": "1H"})[0] == 504


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_whose_deadline_has_passed_is_not_begun(serve, language):
    server = serve(*route("fail", language))
    assert server.get(f"/{language}?raise", {"grpc-timeout": "0n"})[0] == 504
    assert "boom" not in server.log()


def test_a_handler_that_is_late_before_its_first_step_is_closed_without_a_warning(serve):
    server = serve(*route("late", "py"))
    for _ in range(3):
        assert server.get("/py", {"grpc-timeout": "20m"})[0] == 504
    assert server.stop() == 0
    assert "Warning" not in server.log()


def test_what_a_stopped_coroutine_closes_is_closed_under_its_own_context(serve):
    server = serve(*route("wait", "lua"))
    server.get("/lua", {"grpc-timeout": "50m", "baggage": "tenant=acme"})
    assert server.stop() == 0
    assert "closed for acme\n" in server.output


# ---- The log, and the end ----


def test_each_request_is_a_line_of_the_log(serve):
    server = serve(*route("who", "lua"))
    server.get("/lua", {"traceparent": TRACEPARENT})
    server.get("/absent")
    server.get("/%0Arequest=9%20forged")
    first, second, third = server.log().splitlines()
    assert re.fullmatch(rf"request=1 trace={TRACE_ID} GET /lua 201 [\d.]+ ms", first)
    assert re.fullmatch(r"request=2 trace=- GET /absent 404 [\d.]+ ms", second)
    escaped = r"/\\x0arequest=9\\x20forged"
    assert re.fullmatch(rf"request=3 trace=- GET {escaped} 404 [\d.]+ ms", third)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_cancels_what_runs_and_ends_it_well(serve, number):
    server = serve("--grace", "0", *route("wait"))
    answers = []

    def ask(path):
        answers.append(server.get(path)[:2])

    paths = [f"/{language}" for language in LANGUAGES * 3]
    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    begun = [server.process.stdout.readline() for _ in threads]
    assert begun == ["begun\n"] * len(threads)
    assert server.stop(number) == 0
    for thread in threads:
        thread.join()
    assert answers == [(503, "context canceled\n")] * len(threads)
    assert server.output.endswith("contexts alive: 0\n")
    with pytest.raises(ConnectionRefusedError):
        server.connect().connect()


# ---- Bad input ----

BAD = [
    ([], "a --route /path=file is missing"),
    (["--route", "/a"], "is not of the form /path=file"),
    (["--route", "a=who.lua"], "is not of the form /path=file"),
    (["--route", "=who.lua"], "is not of the form /path=file"),
    (["--route", "/a=absent.lua"], "cannot be read: No such file"),
    (["--route", "/a=who.rb"], "neither in .lua nor in .py"),
    (["--route", "/a=who.lua", "--route", "/a=who.py"], "is given twice"),
    (["--route", "/a=broken.py"], "ValueError: this file does not want to be loaded"),
    (["--route", "/a=nothing.lua"], "nothing.lua returned a number"),
    (["--route", "/a=nothing.py"], "nothing.py defines no function named handler"),
    (["--route", "/a=who.lua", "--route", "/b=broken.py"], "this file does not want"),
    (["--route", "/a=who.lua", "--workers", "0"], "no number from 1 to 256"),
    (["--route", "/a=who.lua", "--workers", "two"], "no number from 1 to 256"),
    (["--route", "/a=who.lua", "--workers", "257"], "no number from 1 to 256"),
    (["--route", "/a=who.lua", "--connections", "0"], "no number from 1 to 1000000"),
    (["--route", "/a=who.lua", "--idle-timeout", "x"], "is no duration"),
    (["--route", "/a=who.lua", "--timeout-max", "soon"], "is no duration"),
    (["--route", "/a=who.lua", "--grace", "-1s"], "is no duration"),
    (["--route", "/a=who.lua", "--backup", "true,0"], '"true,0" of --backup is neither'),
    (["--route", "/a=who.lua", "--trust", "baggage,all"], '"all" of --trust is no field'),
    (["--route", "/a=who.lua", "--fast"], 'unknown option "--fast"'),
    (["--route"], "needs a value"),
    (["--route", "/a=who.lua", "who.lua"], 'unexpected argument "who.lua"'),
    (["--route", "/a=who.lua", "--listen", "8080"], "is no address"),
    (["--route", "/a=who.lua", "--listen", "localhost:0"], "is no address"),
    (["--route", "/a=who.lua", "--listen", "127.0.0.1:http"], "is no address"),
    (["--route", "/a=who.lua", "--listen", "127.0.0.1:"], "is no address"),
    (["--route", "/a=who.lua", "--listen", "192.0.2.1:0"], "cannot listen at"),
]


@pytest.mark.parametrize("options, said", BAD)
def test_bad_input_is_told_in_one_sentence(build, options, said):
    assert said in fail_to_serve(build, options)


def test_a_route_that_does_not_compile_is_told(build, tmp_path):
    for name, said in (("broken.lua", "broken.lua:2:"), ("broken.py", "SyntaxError")):
        (tmp_path / name).write_text("\nreturn return")
        assert said in fail_to_serve(build, ["--route", f"/a={tmp_path}/{name}"])


def test_a_port_in_use_is_told(build):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = fail_to_serve(build, ["--route", "/a=who.lua", "--listen", address])
        assert f"cannot listen at {address}: Address already in use" in said


# ---- Search paths ----


def test_modules_are_found_where_the_options_say(serve, tmp_path):
    (tmp_path / "lua").mkdir()
    (tmp_path / "python").mkdir()
    (tmp_path / "lua" / "word.lua").write_text("return 'of Lua'")
    (tmp_path / "python" / "word.py").write_text("word = 'of Python'")
    (tmp_path / "a.lua").write_text("return function() return (require 'word') end")
    (tmp_path / "a.py").write_text("import word\ndef handler(request): return word.word")
    server = serve(
        f"--lua-path={tmp_path}/lua",
        f"--python-path={tmp_path}/python",
        f"--route=/lua={tmp_path}/a.lua",
        f"--route=/py={tmp_path}/a.py",
    )
    assert server.get("/lua")[:2] == (200, "of Lua")
    assert server.get("/py")[:2] == (200, "of Python")
