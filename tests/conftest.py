# SPDX-License-Identifier: Apache-2.0
"""Makes one pytest item of each test in a C program or a Lua file.

CCTX_BUILD names the build tree (default: build). A test program that was not built is a
failing item, never an absent one.
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("CCTX_BUILD") or ROOT / "build").resolve()
TIMEOUT = 60  # seconds for one test: ten times what any needs on a slow machine
SKIPPED = 77

_sanitize = BUILD / "sanitize.txt"
SANITIZE, PRELOAD = (
    (_sanitize.read_text() + "\n\n").split("\n")[:2] if _sanitize.exists() else ("", "")
)


class Failed(Exception):
    """What the program said, without a Python traceback."""


def environment(leaks):
    env = dict(os.environ)
    env.pop("LD_PRELOAD", None)
    env["LUA_PATH"] = f"{ROOT}/tests/lua/?.lua;{ROOT}/bindings/lua/?.lua;;"
    env["LUA_CPATH"] = f"{BUILD}/lua/?.so;;"
    env["PYTHONPATH"] = f"{BUILD}/python"
    env["CCTX_BUILD"] = str(BUILD)
    if SANITIZE:
        env["ASAN_OPTIONS"] = f"detect_leaks={int(leaks)}:abort_on_error=0"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        env["TSAN_OPTIONS"] = "halt_on_error=1:die_after_fork=0"
        env["PYTHONMALLOC"] = "malloc"
    return env


def run(command, env):
    """Run to the end: (exit status or None at the timeout, what it printed)."""
    process = subprocess.Popen(
        command,
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        output = process.communicate(timeout=TIMEOUT)[0]
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0]


class Item(pytest.Item):
    """One named test of a program: `commands` each run it, and all must pass."""

    def __init__(self, *, commands, env, **kwargs):
        super().__init__(**kwargs)
        self.commands = commands
        self.env = env

    def runtest(self):
        for command in self.commands:
            status, output = run(command, self.env)
            if status == SKIPPED:
                reason = output.strip().split("\n")[-1].partition(": ")[2]
                pytest.skip(reason or "no reason given")
            if status != 0:
                how = f"ran over {TIMEOUT} s" if status is None else f"exit status {status}"
                raise Failed(f"{' '.join(map(str, command))}: {how}\n{output}")

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, self.name


class Broken(pytest.Item):
    """A file whose tests cannot be listed."""

    def __init__(self, *, reason, **kwargs):
        super().__init__(**kwargs)
        self.reason = reason

    def runtest(self):
        raise Failed(self.reason)

    def repr_failure(self, excinfo):
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: {self.name}"


class Program(pytest.File):
    """A file of tests that a program lists and runs by name."""

    def collect(self):
        runs, env, missing = self.runner()
        if missing:
            yield Broken.from_parent(self, name="built", reason=missing)
            return
        status, output = run([*runs[0], "--list"], env)
        names = output.split("\n")[:-1]
        if status != 0 or not names:
            reason = f"{' '.join(map(str, runs[0]))} --list: no tests\n{output}"
            yield Broken.from_parent(self, name="listed", reason=reason)
            return
        for name in names:
            commands = [[*command, name] for command in runs]
            yield Item.from_parent(self, name=name, commands=commands, env=env)


def not_built(path):
    return "" if path.exists() else f"{path} is not built: ./dev test builds it"


class CProgram(Program):
    def runner(self):
        directory = self.path.parent.name
        program = BUILD / "tests" / directory / self.path.stem
        missing = not_built(program)
        # An embedded interpreter keeps memory until exit on purpose.
        return [[str(program)]], environment(leaks=directory != "hosts"), missing


class LuaFile(Program):
    def runner(self):
        module = BUILD / "lua" / "cctx.so"
        missing = not_built(module)
        run_lua = str(ROOT / "tests" / "lua" / "run.lua")
        env = environment(leaks=False)
        if PRELOAD:
            env["LD_PRELOAD"] = PRELOAD
        lua = os.environ.get("LUA", "lua5.4")
        plain = [lua, run_lua, str(self.path)]
        return [plain, [lua, run_lua, "--gc", str(self.path)]], env, missing


def pytest_collect_file(file_path, parent):
    directory = file_path.parent.name
    if file_path.name.startswith("test_"):
        if file_path.suffix in (".c", ".cpp") and directory in ("core", "extras", "hosts"):
            return CProgram.from_parent(parent, path=file_path)
        if file_path.suffix == ".lua" and directory == "lua":
            return LuaFile.from_parent(parent, path=file_path)
    return None


def pytest_report_header(config):
    return f"build tree: {BUILD}" + (f" (sanitizers: {SANITIZE})" if SANITIZE else "")


@pytest.fixture(scope="session")
def build():
    """The build tree."""
    return BUILD


@pytest.fixture(scope="session")
def unsanitized():
    """Skip under sanitizers: the test builds or measures something of its own."""
    if SANITIZE:
        pytest.skip("not under sanitizers")
