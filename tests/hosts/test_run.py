# SPDX-License-Identifier: Apache-2.0
"""`cctx run`: what a script sees, how it ends, and what happens at the deadline."""

import os
import subprocess
import time

import pytest

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED = ("TRACEPARENT", "TRACESTATE", "BAGGAGE", "CCTX_DEADLINE", "GRPC_TIMEOUT")


@pytest.fixture
def cctx(build, tmp_path):
    """cctx("run", ...): the finished process. Strings named *.lua or *.py in `files` are
    written first, and the program runs beside them."""
    program = build / "bin" / "cctx"
    assert program.exists(), f"{program} is not built: ./dev test builds it"

    def run(*arguments, files=None, env=None, stdin=subprocess.DEVNULL):
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text)
        clean = {k: v for k, v in os.environ.items() if k not in CARRIED}
        clean["PYTHONDONTWRITEBYTECODE"] = "1"
        clean.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        begin = time.monotonic()
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            cwd=tmp_path,
            env={**clean, **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
        done.seconds = time.monotonic() - begin
        return done

    return run


LANGUAGES = ("lua", "py")


# ---- Exit statuses ----

ENDS = [
    ("lua", "return", 0, ""),
    ("py", "pass", 0, ""),
    ("lua", "return 5", 0, ""),
    ("lua", "os.exit(7)", 7, ""),
    ("py", "import sys; sys.exit(7)", 7, ""),
    ("py", "import sys; sys.exit()", 0, ""),
    ("py", "import os; os._exit(9)", 9, ""),
    ("py", "import sys; sys.exit('the last word')", 1, "the last word"),
    ("lua", "os.exit(true, true)", 0, ""),
    ("lua", "os.exit(false)", 1, ""),
    ("lua", "error('boom')", 1, "boom"),
    ("py", "raise ValueError('boom')", 1, "ValueError: boom"),
    ("lua", "this is no Lua", 1, "syntax error"),
    ("py", "this is no Python", 1, "SyntaxError"),
    ("py", "raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
]


@pytest.mark.parametrize("language, text, status, said", ENDS)
def test_the_exit_status_is_that_of_the_script(cctx, language, text, status, said):
    done = cctx("run", f"script.{language}", files={f"script.{language}": text})
    assert done.returncode == status
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


@pytest.mark.parametrize("language, line", [("lua", "script.lua:2:"), ("py", "line 2")])
def test_an_error_shows_where_it_was_raised(cctx, language, line):
    text = {"lua": "local function f()\n error('boom') end\nf()\n"}
    text["py"] = "def f():\n  raise ValueError('boom')\nf()\n"
    done = cctx("run", f"script.{language}", files={f"script.{language}": text[language]})
    assert line in done.stderr
    assert "_cctx" not in done.stderr


def test_arguments_are_the_scripts_own(cctx):
    files = {
        "show.lua": "print(arg[0], #arg, arg[1], arg[2], ...)",
        "show.py": "import sys; print(*sys.argv)",
    }
    done = cctx("run", "show.lua", "--timeout", "x y", files=files)
    assert done.stdout == "show.lua\t2\t--timeout\tx y\t--timeout\tx y\n"
    done = cctx("run", "show.py", "--timeout", "x y")
    assert done.stdout == "show.py --timeout x y\n"


def test_a_python_script_is_main_and_finds_its_neighbours(cctx):
    files = {
        "neighbour.py": "word = 'found'",
        "script.py": "import neighbour\nif __name__ == '__main__': print(neighbour.word)",
    }
    assert cctx("run", "script.py", files=files).stdout == "found\n"


def test_threads_of_a_python_script_are_waited_for(cctx):
    text = (
        "import threading, time\n"
        "def work():\n"
        "    time.sleep(0.05)\n"
        "    print('worked')\n"
        "threading.Thread(target=work).start()\n"
    )
    done = cctx("run", "--timeout", "20", "script.py", files={"script.py": text})
    assert (done.returncode, done.stdout) == (0, "worked\n")


def test_help_and_version_are_told(cctx):
    assert "cctx run" in cctx("--help").stdout
    assert cctx("--version").stdout.startswith("cctx 0.")


# ---- The context ----

SHOW = {
    "lua": """
local cctx = require "cctx"
print(cctx.metadata("tenant"), cctx.value("color"), cctx.value("trace_id"),
      cctx.value("span_id"), cctx.value("trace_flags"), cctx.remaining() ~= nil)
""",
    "py": """
import cctx
print(cctx.metadata("tenant"), cctx.value("color"), cctx.value("trace_id"),
      cctx.value("span_id"), cctx.value("trace_flags"), cctx.remaining() is not None,
      sep="\\t")
""",
}


def shown(cctx, language, *options, env=None):
    name = f"show.{language}"
    done = cctx("run", *options, name, files={name: SHOW[language]}, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    line = done.stdout.rstrip("\n").lower()
    return line.replace("none", "nil").split("\t")


@pytest.mark.parametrize("language", LANGUAGES)
def test_options_are_seen_by_the_script(cctx, language):
    seen = shown(cctx, language, "--set", "color=red", "--meta", "tenant=acme")
    assert seen == ["acme", "red", "nil", "nil", "nil", "false"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_last_of_two_options_holds(cctx, language):
    options = ["--set=color=1", "--meta=tenant=1", "--set=color=2", "--meta=tenant=2"]
    assert shown(cctx, language, *options)[:2] == ["2", "2"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_environment_is_seen_by_the_script(cctx, language):
    env = {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "tenant=%41cme"}
    seen = shown(cctx, language, env=env)
    assert seen == ["acme", "nil", *TRACEPARENT.split("-")[1:3], "1", "false"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_options_hide_what_the_environment_says(cctx, language):
    env = {"BAGGAGE": "tenant=theirs"}
    assert shown(cctx, language, "--meta", "tenant=ours", env=env)[0] == "ours"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_malformed_environment_is_left_out(cctx, language):
    env = {"TRACEPARENT": "nonsense", "BAGGAGE": "no baggage", "CCTX_DEADLINE": "soon"}
    assert shown(cctx, language, env=env) == ["nil"] * 5 + ["false"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_timeout_is_seen_by_the_script(cctx, language):
    assert shown(cctx, language, "--timeout", "1h")[5] == "true"


def boot_deadline(seconds):
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot_id = file.read(8)
    except OSError:
        pytest.skip("this system has no boot id")
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return f"{boot_id}:{now + int(seconds * 1e9)}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_deadline_of_the_environment_is_seen_by_the_script(cctx, language):
    assert shown(cctx, language, env={"CCTX_DEADLINE": boot_deadline(3600)})[5] == "true"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_deadline_that_has_passed_starts_nothing(cctx, language):
    name = f"script.{language}"
    files = {name: "print('started')"}
    done = cctx("run", name, files=files, env={"CCTX_DEADLINE": boot_deadline(-1)})
    assert (done.returncode, done.stdout) == (124, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_c_code_below_the_script_sees_the_context(cctx, language):
    text = {"lua": "print(require('whoami').tenant())"}
    text["py"] = "import whoami; print(whoami.tenant())"
    name = f"script.{language}"
    done = cctx("run", "--meta", "tenant=acme", name, files={name: text[language]})
    assert done.stdout == "acme\n"


# ---- The deadline ----

ENDLESS = {
    "lua, a loop": ("lua", "while true do end"),
    "lua, a loop that catches": (
        "lua",
        "while true do pcall(function() while true do end end) end",
    ),
    "lua, a coroutine": (
        "lua",
        "local w = coroutine.wrap w(function() w(function() while 1 do end end)() end)()",
    ),
    "lua, a coroutine of cctx": (
        "lua",
        "require('cctx').wrap(function() while true do end end)()",
    ),
    "lua, a coroutine under another context": (
        "lua",
        "require('cctx').background():run(function() while true do end end)",
    ),
    "lua, a wait for input": ("lua", "io.read() while true do end"),
    "python, a loop": ("py", "while True:\n    pass"),
    "python, a loop that catches": (
        "py",
        "import cctx\ndef wait():\n    try:\n        while True:\n            x = 1\n"
        "    except cctx.DeadlineExceeded:\n        pass\nwait()\nwhile True:\n    x = 1",
    ),
    "python, a sleep": ("py", "import time; time.sleep(600)"),
    "python, a wait for input": ("py", "input()"),
    "python, a wait for a lock": (
        "py",
        "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
    ),
    "python, an event loop": ("py", "import asyncio; asyncio.run(asyncio.sleep(600))"),
    "python, another context": (
        "py",
        "import cctx, time; cctx.background().run(time.sleep, 600)",
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_deadline_stops_it_wherever_it_is(cctx, name):
    language, text = ENDLESS[name]
    file = f"script.{language}"
    reader, writer = os.pipe()
    try:
        done = cctx("run", "--timeout", "0.15", file, files={file: text}, stdin=reader)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 124
    assert done.stdout == ""
    assert done.stderr == f"cctx run: {file} was stopped at its deadline (--timeout).\n"
    assert done.seconds >= 0.15


UNSTOPPABLE = {
    "lua, another program": ("lua", "os.execute('exec sleep 3 >/dev/null 2>&1')"),
    "python, a C function": ("py", "sum(range(10 ** 12))"),
}


@pytest.mark.parametrize("name", UNSTOPPABLE)
def test_what_cannot_be_stopped_is_killed_a_second_later(cctx, name):
    language, text = UNSTOPPABLE[name]
    file = f"script.{language}"
    done = cctx("run", "--timeout", "600ms", file, files={file: text})
    assert done.returncode == 124
    assert done.stderr.count("\n") == 1
    assert "killed" in done.stderr
    assert done.seconds >= 1.6


CATCHING = {
    "lua": """
local ok, why = pcall(function() while true do end end)
print(ok, why.code)
os.exit(3)
""",
    "py": """
import cctx, sys, time
try:
    time.sleep(600)
except cctx.DeadlineExceeded as error:
    print("false", "deadline_exceeded", sep="\\t")
sys.exit(3)
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_script_that_catches_the_deadline_still_ends_with_124(cctx, language):
    name = f"script.{language}"
    done = cctx("run", "--timeout", "500ms", name, files={name: CATCHING[language]})
    assert (done.returncode, done.stderr) == (124, "")
    assert done.stdout == "false\tdeadline_exceeded\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_closers_run_when_the_deadline_stops_it(cctx, language):
    text = {
        "lua": "local function close() print('closed') end\n"
        "local _ <close> = setmetatable({}, {__close = close})\n"
        "while true do end",
        "py": "try:\n    while True:\n        x = 1\nfinally:\n    print('closed')",
    }
    name = f"script.{language}"
    done = cctx("run", "--timeout", "500ms", name, files={name: text[language]})
    assert (done.returncode, done.stdout) == (124, "closed\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scripts_own_deadline_is_an_error_like_others(cctx, language):
    text = {
        "lua": "require('cctx').background():with_timeout(0):check()",
        "py": "import cctx; cctx.background().with_timeout(0).check()",
    }
    name = f"script.{language}"
    done = cctx("run", "--timeout", "1h", name, files={name: text[language]})
    assert done.returncode == 1
    assert "deadline" in done.stderr.lower()


# ---- Bad input ----

NO_DURATIONS = ["", "soon", "-1s", "+1s", "1e3", "1.", ".5s", "5x", "5 s", "1h2m"]
NO_DURATIONS += ["0", "0ms", "0.0000000001", "nan", "inf", "99999999999999999999"]

BAD = [
    ([], "a command is missing"),
    (["walk"], 'unknown command "walk"'),
    (["run"], "missing"),
    (["run", "absent.lua"], "cannot be read: No such file"),
    (["run", "absent.py"], "cannot be read: No such file"),
    (["run", "script.rb"], "neither in .lua nor in .py"),
    (["run", "script"], "neither in .lua nor in .py"),
    (["run", "directory.lua"], "cannot be read"),
    (["run", "--fast", "ok.lua"], 'unknown option "--fast"'),
    (["run", "-x", "ok.lua"], 'unknown option "-x"'),
    (["run", "--timeout"], "needs a value"),
    *[(["run", f"--timeout={text}", "ok.lua"], "is no duration") for text in NO_DURATIONS],
    (["run", "--set", "color", "ok.lua"], "name=value"),
    (["run", "--set", "=red", "ok.lua"], "name=value"),
    (["run", "--set", "n" * 300 + "=red", "ok.lua"], "at most 255 bytes"),
    (["run", "--meta", "tenant", "ok.lua"], "name=value"),
    (["run", "--meta", "=acme", "ok.lua"], "name=value"),
    (["run", "--meta", "a name=acme", "ok.lua"], "cannot be set"),
    (["run", "--meta", "k=" + "v" * 20000, "ok.lua"], "cannot be set"),
    (["run", "--meta", "a=" + "v" * 9000, "--meta", "b=" + "v" * 9000, "ok.lua"], "more"),
]


@pytest.mark.parametrize("arguments, said", BAD)
def test_bad_input_is_told_in_one_sentence(cctx, tmp_path, arguments, said):
    (tmp_path / "directory.lua").mkdir()
    files = {"ok.lua": "print 'started'", "script.rb": "", "script": ""}
    done = cctx(*arguments, files=files)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("cctx")


DURATIONS = ["500us", "200000us", "20ms", "1.5s", "2m", "1h", "1d", "30", "0.5"]


@pytest.mark.parametrize("text", DURATIONS)
def test_durations_have_several_forms(cctx, text):
    show = "local c = require 'cctx' print(c.remaining())"
    done = cctx("run", "--timeout", text, "show.lua", files={"show.lua": show})
    number = float(text.rstrip("usmhd"))
    unit = text.lstrip("0123456789.")
    lengths = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    seconds = number * lengths[unit]
    if seconds < 0.1:  # it may have passed already
        assert done.returncode in (0, 124)
    else:
        assert seconds - 5 <= float(done.stdout) <= seconds
