# SPDX-License-Identifier: Apache-2.0
"""One core in a process, whatever host, package, module and plugin bring along.

Each test is a process of a few lines. What cannot work is refused in a sentence that names the
files: never by a crash, and never in the words of the loader.
"""

import pathlib
import re
import shutil
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
BASE = (ROOT / "core/include/cctx/base.h").read_text()
VERSION = re.search(r'CCTX_VERSION_STRING "(.+)"', BASE)[1]
MAP = (ROOT / "core/libcctx.map").read_text()
NAME = "libcctx.so.0"

# ---- Cores of other kinds ---------------------------------------------------------------


def set_version(base, version):
    """`base`, the text of base.h, with another version."""
    major, minor, patch = version.split(".")
    for part, number in [("MAJOR", major), ("MINOR", minor), ("PATCH", patch)]:
        base = re.sub(rf"(CCTX_VERSION_{part}) \d+", rf"\1 {number}", base)
    return base.replace(f'"{VERSION}"', f'"{version}"')


@pytest.fixture(scope="module")
def build_core(tmp_path_factory, run):
    """Builds a core with another version, name or version script: the path of the library."""
    tmp = tmp_path_factory.mktemp("cores")
    flags = ["-std=c11", "-D_DEFAULT_SOURCE", "-O0", "-fPIC", "-fvisibility=hidden", "-pthread"]

    def compile_objects(version):
        directory = tmp / version
        if directory.exists():
            return directory
        shutil.copytree(ROOT / "core", directory / "core")
        base = directory / "core/include/cctx/base.h"
        base.write_text(set_version(base.read_text(), version))
        files = [*directory.glob("core/**/*.c")]
        core = directory / "core"
        run("cc", "-c", *flags, f"-I{core}/include", f"-I{core}", *files, cwd=directory)
        return directory

    def link(place, version=VERSION, name=NAME, script=MAP):
        (tmp / place).mkdir()
        (tmp / place / "the.map").write_text(script)
        library = tmp / place / name
        run("cc", "-shared", "-pthread", *compile_objects(version).glob("*.o"), "-o", library,
            f"-Wl,-soname,{name},-z,now,-z,nodelete,--version-script={tmp}/{place}/the.map",
            )  # fmt: skip
        return library

    return link


@pytest.fixture(scope="module")
def newer(copy_source, tmp_path_factory, run):
    """The build tree of the next version, whose bindings call what it brings."""
    tree = copy_source(tmp_path_factory.mktemp("newer") / "the next")
    base, code = tree / "core/include/cctx/base.h", tree / "core/status.c"
    added = "CCTX_API int cctx_added(void);\n"
    text = set_version(base.read_text(), "0.2.0")
    base.write_text(text.replace("/** The word", f"{added}\n/** The word"))
    code.write_text(code.read_text() + "\nint cctx_added(void) { return 1; }\n")
    script = tree / "core/libcctx.map"
    script.write_text(script.read_text() + "CCTX_0.2 { global: cctx_added; } CCTX_0.1;\n")
    for binding in ["lua", "python"]:
        module = tree / f"bindings/{binding}/module.c"
        text = module.read_text()
        assert text.count("  char why[1024];\n") >= 1
        module.write_text(
            text.replace("  char why[1024];\n", "  char why[1024];\n  cctx_added();\n")
        )
    build = tree / "build"
    run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
        "-DCCTX_TESTS=OFF", "-DCCTX_STATIC=OFF", f"-DCCTX_PYTHON={sys.executable}")  # fmt: skip
    run("cmake", "--build", build, "--target", "cctx", "lua_cctx", "py__cctx")
    return build


@pytest.fixture(scope="module")
def renamed(build_core):
    """What a tool makes of the library that gives it a name of its own."""
    return build_core("renamed", name="libcctx-1a2b3c4d.so.0")


@pytest.fixture(scope="module")
def plugin(prefix, tmp_path_factory, run):
    """A plugin with libcctx.a inside."""
    built = tmp_path_factory.mktemp("plugin") / "plugin.so"
    run("cc", "-shared", "-fPIC", f"-I{prefix}/include", HERE / "project/plugin.c",
        f"{prefix}/lib/libcctx.a", "-pthread", "-Wl,-z,nodelete", "-o", built)  # fmt: skip
    return built


# ---- Asking for a binding ---------------------------------------------------------------

LOAD = {
    "Lua": "assert(package.loadlib('{path}', '{symbol}'))\n",
    "Python": "import ctypes; ctypes.CDLL('{path}')\n",
}
ASK = {
    "Lua": """
local ok, cctx = pcall(require, "cctx")
print(ok and "loaded " .. cctx._VERSION or cctx)""",
    "Python": """
try:
    import cctx
    print("loaded", cctx.__version__)
except ImportError as error:
    print(error)""",
}


@pytest.fixture(params=["Lua", "Python"])
def language(request):
    return request.param


@pytest.fixture
def today(language, prefix, environment):
    """Where this version's binding is found."""
    return {"Lua": prefix / "lib/lua/5.4", "Python": environment.packages}[language]


@pytest.fixture
def ask(language, run):
    """Loads a library, as a host would, then the binding: what it says."""

    def load_and_ask(binding, library=None, symbol="cctx_version", env=None):
        code = LOAD[language].format(path=library, symbol=symbol) if library else ""
        env = {**(env or {}), "LUA_CPATH": f"{binding}/?.so", "PYTHONPATH": binding}
        command = {"Lua": ["lua5.4", "-e"], "Python": [sys.executable, "-c"]}[language]
        said = run(*command, code + ASK[language], env=env)
        assert "undefined symbol" not in said and "not found" not in said, said
        return said.rstrip("\n")

    return load_and_ask


def is_refusal(said, core, version, needed):
    """Whether it names the core that is loaded, its version, and what is needed."""
    return re.fullmatch(
        rf"cctx: {re.escape(str(core))}, the core of cctx that this process has loaded, is "
        rf"version {re.escape(version)}, and {needed} or later is needed: .*",
        said,
    )


def names_both(said, *files):
    return "this process has two cores of cctx" in said and all(
        f"{file} ({VERSION})" in said for file in files
    )


# ---- Another version --------------------------------------------------------------------


@pytest.mark.thorough
def test_newer_binding_names_the_older_core_that_was_loaded_first(ask, newer, language, prefix):
    core = prefix / "lib" / NAME
    assert is_refusal(ask(newer / language.lower(), core), core, VERSION, r"0\.2(\.0)?")


@pytest.mark.thorough
def test_older_binding_works_with_a_newer_core_that_was_loaded_first(ask, newer, today):
    assert ask(today, newer / NAME) == "loaded 0.2.0"


@pytest.mark.thorough
def test_newer_binding_brings_its_own_core_where_none_is_loaded(ask, newer, language):
    assert ask(newer / language.lower()) == "loaded 0.2.0"


@pytest.mark.thorough
def test_core_that_is_older_by_its_version_alone_is_refused(ask, build_core, today, language):
    core = build_core(f"older {language}", version="0.0.9")
    assert is_refusal(ask(today, core), core, "0.0.9", re.escape(VERSION))


@pytest.mark.thorough
def test_core_that_is_older_and_found_on_the_way_is_refused(ask, newer, language, prefix):
    """Loaded by the binding itself, because the environment says so."""
    said = ask(newer / language.lower(), env={"LD_LIBRARY_PATH": prefix / "lib"})
    assert is_refusal(said, prefix / "lib" / NAME, VERSION, r"0\.2(\.0)?")


@pytest.mark.thorough
def test_core_of_this_version_that_lacks_a_function_is_named(ask, build_core, today, language):
    core = build_core(f"lacking {language}", script=MAP.replace("    cctx_merge;\n", ""))
    said = ask(today, core)
    assert f"cctx: {core}, the core" in said and "lacks cctx_merge" in said


# ---- A second core ----------------------------------------------------------------------


def test_core_under_another_name_is_a_second_one(ask, renamed, today):
    assert names_both(ask(today, renamed), renamed)


def test_core_inside_a_plugin_is_a_second_one(ask, plugin, today):
    assert names_both(ask(today, plugin, symbol="work"), plugin)


def test_module_of_python_warns_of_a_core_that_came_later(environment, renamed):
    code = "import cctx, ctypes, runpy\n" + LOAD["Python"].format(path=renamed)
    main = "runpy.run_module('cctx', run_name='__main__')"
    said = environment.run("-c", code + main, fails=True)
    assert names_both(said, renamed, environment.packages / "cctx" / NAME)
    assert f"library       {renamed}\n" in said


def test_module_of_python_lists_a_copy_that_is_never_called(environment, renamed):
    """Loaded before all else, it is what everybody is bound to."""
    said = environment.run("-m", "cctx", env={"LD_PRELOAD": renamed})
    beside = environment.packages / "cctx" / NAME
    libraries = re.findall(r"^library +(.+)$", said, re.M)
    assert sorted(libraries) == sorted([str(renamed), str(beside)])
    assert "warning" not in said


# ---- Hosts ------------------------------------------------------------------------------

WHO = {
    "Lua": """
local ok, cctx = pcall(require, "cctx")
print(ok and "Lua: " .. tostring(cctx.metadata "tenant") or cctx)""",
    "Python": """
try:
    import cctx
    print("Python:", cctx.metadata("tenant"), flush=True)
except ImportError as error:
    print(error, flush=True)""",
}
MAPPED = """
import pathlib
maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
paths = {line.split(None, 5)[5] for line in maps if "libcctx" in line}
print(*sorted(paths), sep="\\n", flush=True)
"""


@pytest.fixture(scope="module")
def build_host(prefix, tmp_path_factory, run):
    """Compiles host.c, with both interpreters, and the core linked as the options say."""
    var = sysconfig.get_config_var
    directories = [var("LIBDIR"), var("LIBPL")]
    library = f"libpython{var('LDVERSION')}.so"
    if not any(pathlib.Path(place, library).exists() for place in directories):
        pytest.skip(f"{sys.executable} has no {library}")
    lua = run("pkg-config", "--cflags", "--libs", "lua5.4").split()
    tmp = tmp_path_factory.mktemp("hosts")

    def compile_host(name, *core):
        run("cc", HERE / "cores/host.c", f"-I{prefix}/include",
            f"-I{sysconfig.get_path('include')}", "-o", tmp / name, *core, *lua,
            *(f"-L{place}" for place in directories), f"-lpython{var('LDVERSION')}",
            f"-Wl,-rpath,{var('LIBDIR')}", "-pthread")  # fmt: skip
        return tmp / name

    return compile_host


@pytest.fixture
def run_host(run, environment, install, tmp_path):
    """Runs a host where package and module each bring a core of their own."""
    other = install(tmp_path / "other", "--component", "lua")
    install(other, "--component", "runtime")

    def run_with(host, lua=WHO["Lua"], python=WHO["Python"]):
        env = {"LUA_CPATH": other / "lib/lua/5.4/?.so", "PYTHONPATH": environment.packages}
        said = run(host, lua, python, env=env)
        assert "undefined symbol" not in said, said
        return said.splitlines()

    return run_with


SHARED = ["Lua: acme"] * 2 + ["Python: acme"] * 2 + ["host: one core"]


def test_host_module_and_package_that_each_bring_a_core_have_one(build_host, run_host, prefix):
    """Also two Lua states, and two interpreters of Python."""
    library = prefix / "lib" / NAME
    host = build_host("linked", library, f"-Wl,-rpath,{prefix}/lib")
    assert run_host(host) == SHARED
    *_, mapped, said = run_host(host, "-", MAPPED + WHO["Python"] + MAPPED)
    assert (mapped, said) == (str(library), "host: one core")


def test_core_under_another_name_that_is_bound_to_the_hosts_is_accepted(
    build_host, run_host, prefix, renamed
):
    host = build_host("bound", prefix / "lib" / NAME, f"-Wl,-rpath,{prefix}/lib")
    load = LOAD["Lua"].format(path=renamed, symbol="cctx_version")
    said = run_host(host, load + WHO["Lua"], MAPPED + WHO["Python"])
    assert str(renamed) in said and [line for line in said if ":" in line] == SHARED


def test_host_with_the_archive_inside_is_told_of_the_second_core(
    build_host, run_host, prefix
):
    host = build_host("static", prefix / "lib/libcctx.a")
    said = run_host(host)
    assert len(said) == 5 and all(names_both(line, host) for line in said)


def test_host_that_shows_only_what_it_uses_of_the_archive_is_told_too(
    build_host, run_host, prefix
):
    """What it lacks would be called in the other core."""
    said = run_host(build_host("lean", "-rdynamic", prefix / "lib/libcctx.a"))
    assert len(said) == 5 and all("two cores" in line for line in said)


def test_host_that_shows_the_whole_archive_shares_its_core(build_host, run_host, prefix):
    whole = ["-Wl,--whole-archive", prefix / "lib/libcctx.a", "-Wl,--no-whole-archive"]
    assert run_host(build_host("whole", "-rdynamic", *whole)) == SHARED


# ---- All inside -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def static_hosts(prefix, tmp_path_factory, run):
    """The example, built against what is installed, as the docs say; and the package."""
    build = tmp_path_factory.mktemp("static") / "the build"
    try:
        run("cmake", "-G", "Ninja", "-S", HERE / "static", "-B", build,
            f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DSOURCE={ROOT}/examples/static_host.c")  # fmt: skip
    except AssertionError as error:
        if "Could NOT find Python3" in str(error):
            pytest.skip(f"{sys.executable} has no libpython to link")
        raise
    run("cmake", "--build", build)
    (build / "package/cctx").mkdir(parents=True)
    for path in (ROOT / "bindings/python/cctx").glob("*.py"):
        shutil.copy(path, build / "package/cctx")
    return build


def run_static(run, static_hosts, name, *code, env=None, **options):
    env = {**(env or {}), "PYTHONPATH": static_hosts / "package"}
    return run(static_hosts / name, *code, env=env, **options).splitlines()


@pytest.mark.parametrize("name", ["lean", "shown"])
def test_static_host_has_both_bindings_inside(static_hosts, run, name):
    assert run_static(run, static_hosts, name) == ["Lua: acme", "Python: acme", "C: none"]
    tell = "import cctx; print(cctx._cctx.__spec__.origin, flush=True)\n"
    no_files, *_ = run_static(run, static_hosts, name, "", tell + MAPPED)
    assert no_files == "built-in"
    assert "libcctx" not in run("ldd", static_hosts / name)


def test_static_host_that_shows_its_core_shares_it_with_modules(static_hosts, run, build):
    """Linked with libcctx.so.0, which is loaded and does nothing."""
    code = "print(require 'whoami'.tenant())", MAPPED + "import cctx._cctx as c\n" + (
        "print(c._core_check(), flush=True)"
    )
    env = {"LUA_CPATH": build / "lua/?.so"}
    said = run_static(run, static_hosts, "shown", *code, env=env)
    assert said == ["acme", str(build / NAME), "None", "C: none"]


def test_static_host_that_does_not_is_told_of_the_second_core(static_hosts, run, build):
    """The module finds nobody; the host does not get as far as a script."""
    code, env = "print(require 'whoami'.tenant())", {"LUA_CPATH": build / "lua/?.so"}
    said = run_static(run, static_hosts, "lean", code, env=env, fails=True)
    assert "nil" in said and "Python: acme" not in said
    assert any(names_both(line, static_hosts / "lean", build / NAME) for line in said), said


# ---- The table and the note -------------------------------------------------------------


def test_table_of_a_core_has_a_function_of_each_file_that_exports_one(prefix, run):
    """Codecs keep nothing, and neither do words and versions."""
    said = run("nm", "-A", "--defined-only", prefix / "lib/libcctx.a")
    files = {}
    for name, symbol in re.findall(r":(\w+)\.c\.o:\w+ T (cctx_[a-z]\w+)", said):
        files.setdefault(name, set()).add(symbol)
    codecs = {path.stem for path in (ROOT / "core/carrier").glob("*.c")}
    table = set(re.findall(r"XX\((cctx_\w+)\)", (ROOT / "core/copies.c").read_text()))
    without = {name for name, symbols in files.items() if not symbols & table}
    assert len(files) > 20 and without - codecs == {"copies", "status"}


@pytest.mark.parametrize("options", [[], ["-static"], ["-s", "-Wl,--gc-sections"]], ids=str)
def test_program_with_the_archive_inside_has_the_note(prefix, tmp_path, run, options):
    program = tmp_path / "program"
    run("cc", *options, f"-I{prefix}/include", HERE / "project/program.c",
        f"{prefix}/lib/libcctx.a", "-pthread", "-o", program)  # fmt: skip
    assert re.search(r"^ +cctx\b", run("readelf", "-nW", program), re.M)


# ---- Taking it away ---------------------------------------------------------------------


def test_pip_leaves_nothing_behind(wheel, new_environment, run):
    made = new_environment()
    made.install(wheel)
    made.run("-c", "import cctx")
    run(sys.executable, "-m", "pip", "--python", made.python, "uninstall", "-q", "-y", "pycctx")
    assert not list(made.packages.parents[2].rglob("*cctx*"))
