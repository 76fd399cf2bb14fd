# SPDX-License-Identifier: Apache-2.0
"""Makes one pytest item of each test in a C program or a Lua file.

CCTX_BUILD names the build tree (default: build). A test program that was not built is a
failing item, never an absent one.
"""

import os
import pathlib
import subprocess
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("CCTX_BUILD") or ROOT / "build").resolve()
TIMEOUT = 60  # seconds for one test: ten times what any needs on a slow machine
SKIPPED = 77

_sanitize = BUILD / "sanitize.txt"
SANITIZE, PRELOAD = (
    (_sanitize.read_text() + "\n\n").split("\n")[:2] if _sanitize.exists() else ("", "")
)


class Lua(NamedTuple):
    """One of those that the build tree is built for; the first is the host programs'."""

    name: str
    modules: pathlib.Path
    program: str

    @property
    def version(self):
        return "5.1" if self.name == "jit" else self.name


def _luas():
    """Those of the file that CMake writes, of NAME, DIRECTORY and PROGRAM."""
    file = BUILD / "lua.txt"
    for line in file.read_text().splitlines() if file.exists() else []:
        name, directory, program = line.split(" ", 2)
        yield Lua(name, BUILD / directory, "" if "NOTFOUND" in program else program)


LUAS = list(_luas())


class Failed(Exception):
    """What the program said, without a Python traceback."""


def environment(leaks, lua=None):
    env = dict(os.environ)
    env.pop("LD_PRELOAD", None)
    env["LUA_PATH"] = f"{ROOT}/tests/lua/?.lua;{ROOT}/bindings/lua/?.lua;;"
    env["LUA_CPATH"] = f"{lua.modules if lua else BUILD / 'lua'}/?.so;;"
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
    """A file of tests that programs list and run by name: one, or one with each Lua."""

    def collect(self):
        for mark, runs, env, missing in self.runners():
            if missing:
                yield Broken.from_parent(self, name=f"built{mark}", reason=missing)
                continue
            status, output = run([*runs[0], "--list"], env)
            names = output.split("\n")[:-1]
            if status != 0 or not names:
                reason = f"{' '.join(map(str, runs[0]))} --list: no tests\n{output}"
                yield Broken.from_parent(self, name=f"listed{mark}", reason=reason)
                continue
            for name in names:
                commands = [[*command, name] for command in runs]
                yield Item.from_parent(self, name=name + mark, commands=commands, env=env)


def not_built(path):
    return "" if path.exists() else f"{path} is not built: ./dev test builds it"


class CProgram(Program):
    def runners(self):
        directory = self.path.parent.name
        program = BUILD / "tests" / directory / self.path.stem
        # An embedded interpreter keeps memory until exit on purpose.
        leaks = directory != "hosts"
        yield "", [[str(program)]], environment(leaks), not_built(program)
        for lua in LUAS[1:]:
            other = program.with_name(f"{program.name}.{lua.name}")
            if other.exists():
                yield f" [{lua.name}]", [[str(other)]], environment(leaks, lua), ""


class LuaFile(Program):
    """Of a directory named after a version: for that and later ones."""

    def runners(self):
        run_lua = str(ROOT / "tests" / "lua" / "run.lua")
        directory = self.path.parent.name
        for lua in LUAS:
            if not lua.program or (directory != "lua" and lua.version < directory):
                continue
            env = environment(leaks=False, lua=lua)
            if PRELOAD:
                env["LD_PRELOAD"] = PRELOAD
            plain = [lua.program, run_lua, str(self.path)]
            runs = [plain, [*plain[:2], "--gc", *plain[2:]]]
            mark = f" [{lua.name}]" if lua != LUAS[0] else ""
            yield mark, runs, env, not_built(lua.modules / "cctx.so")


def pytest_collect_file(file_path, parent):
    directory = file_path.parent
    if file_path.name.startswith("test_"):
        if file_path.suffix in (".c", ".cpp") and directory.name in ("core", "extras", "hosts"):
            return CProgram.from_parent(parent, path=file_path)
        if file_path.suffix == ".lua" and "lua" in (directory.name, directory.parent.name):
            return LuaFile.from_parent(parent, path=file_path)
    return None


def pytest_report_header(config):
    tested = " ".join(lua.name for lua in LUAS if lua.program) or "none"
    lines = [f"build tree: {BUILD}" + (f" (sanitizers: {SANITIZE})" if SANITIZE else "")]
    lines.append(f"tests/lua runs with Lua: {tested}")
    missing = " ".join(lua.name for lua in LUAS if not lua.program)
    return lines + ([f"built, but without an interpreter here: {missing}"] if missing else [])


@pytest.fixture(scope="session")
def build():
    """The build tree."""
    return BUILD


@pytest.fixture(scope="session")
def luas():
    """Those that the build tree is built for and that have an interpreter here."""
    return [lua for lua in LUAS if lua.program]


@pytest.fixture(scope="session")
def unsanitized():
    """Skip under sanitizers: the test builds or measures something of its own."""
    if SANITIZE:
        pytest.skip("not under sanitizers")
