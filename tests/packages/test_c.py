# SPDX-License-Identifier: Apache-2.0
"""The installed C library: found by pkg-config and by CMake, from anywhere, and removed."""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = pathlib.Path(__file__).parent / "project"
BASE = (ROOT / "core/include/cctx/base.h").read_text()
VERSION = re.search(r'CCTX_VERSION_STRING "(.+)"', BASE)[1]
SAID = f"acme of {VERSION}\n"
# Only these directories may be left: they are everybody's.
SHARED_DIRECTORIES = """
    bin include lib lib/cmake lib/lua lib/lua/5.4 lib/pkgconfig
    share share/man share/man/man1
""".split()


@pytest.fixture(scope="module")
def compile_with_pkg_config(prefix, tmp_path_factory, run):
    """Compiles program.c with what pkg-config says, in a shell that heeds its quotes."""
    tmp = tmp_path_factory.mktemp("compiled")

    def compile_program(name, static=""):
        files = {"IN": PROJECT / "program.c", "OUT": tmp / name}
        ask = f"pkg-config {static and '--static'} --cflags --libs cctx"
        script = f"""eval cc {static} '"$IN"' -o '"$OUT"' "$({ask})" """
        run(
            "sh", "-euc", script, env={"PKG_CONFIG_PATH": prefix / "lib/pkgconfig", **files}
        )
        return tmp / name

    return compile_program


def test_pkg_config_links_the_shared_library(compile_with_pkg_config, prefix, run):
    program = compile_with_pkg_config("shared")
    assert run(program, env={"LD_LIBRARY_PATH": prefix / "lib"}) == SAID
    assert "libcctx.so.0 => not found" in run("ldd", program)


def test_pkg_config_links_a_static_program(compile_with_pkg_config, run):
    program = compile_with_pkg_config("static", "-static")
    assert run(program) == SAID


def test_pkg_config_links_libcctx_statically(
    compile_with_pkg_config, prefix, tmp_path, run
):
    """The archive alone, into a program that is not static for the rest."""
    env = {"PKG_CONFIG_PATH": prefix / "lib/pkgconfig"}
    flags = run("pkg-config", "--static", "--libs-only-other", "cctx", env=env).split()
    program = tmp_path / "program"
    run("cc", f"-I{prefix}/include", PROJECT / "program.c", f"{prefix}/lib/libcctx.a",
        *flags, "-o", program)  # fmt: skip
    assert "libcctx" not in run("ldd", program)
    assert run(program) == SAID


def test_program_needs_the_version_that_brought_what_it_calls(compile_with_pkg_config, run):
    program = compile_with_pkg_config("needs")
    needed = run("readelf", "-VW", program)
    assert re.search(r"libcctx\.so\.0.*?Name: CCTX_0\.1\b", needed, re.S)


def test_installed_library_has_each_name_of_the_map_in_its_version(prefix, run):
    exported = set(run("nm", "-D", "--defined-only", "--with-symbol-versions",
                       prefix / "lib/libcctx.so.0").split())  # fmt: skip
    version, names = None, []
    for line in (ROOT / "core/libcctx.map").read_text().splitlines():
        version = line.split()[0] if line.startswith("CCTX_") else version
        names += re.findall(r"^ +(cctx_\w+);", line) and [f"{line.strip(' ;')}@@{version}"]
    assert len(names) > 50
    assert {name for name in exported if name.startswith("cctx_")} == set(names)


def test_packages_all_have_the_version_of_the_header():
    changelog = (ROOT / "debian/changelog").read_text()
    assert changelog.startswith(f"cctx ({VERSION}) ")
    assert (
        f"CCTX_{VERSION.rpartition('.')[0]} {{" in (ROOT / "core/libcctx.map").read_text()
    )


def test_manual_page_has_each_option_of_the_help(prefix, run):
    page = (prefix / "share/man/man1/cctx.1").read_text().replace("\\-", "-")
    options = set(re.findall(r"^ +(--[a-z-]+)", run(prefix / "bin/cctx", "--help"), re.M))
    assert len(options) > 5
    assert {o for o in options - {"--help", "--version"} if o not in page} == set()


def configure(run, way, build, *options, **more):
    return run("cmake", "-G", "Ninja", "-S", PROJECT, "-B", build, f"-DWAY={way}", *options,
               **more)  # fmt: skip


@pytest.fixture(scope="module")
def by_package(prefix, tmp_path_factory, run):
    """The user's project, built against the installed package."""
    build = tmp_path_factory.mktemp("project") / "the build"
    configure(run, "package", build, f"-DCMAKE_PREFIX_PATH={prefix}", "-DWANTED=0.1")
    run("cmake", "--build", build)
    return build / "out"


@pytest.mark.parametrize("program", ["shared", "static", "cpp"])
def test_find_package_builds_a_program(by_package, program, run):
    assert run(by_package / program) == SAID


def test_find_package_finds_the_extras(by_package, run):
    assert run(by_package / "bound") == "acme, canceled\n"


def test_plugin_with_a_core_inside_is_let_go_while_threads_have_used_it(by_package, run):
    assert run(by_package / "unload", by_package / "libplugin.so") == "unloaded\n"


def test_plugin_without_the_flag_would_pull_the_code_from_under_its_threads(
    by_package, prefix, tmp_path, run
):
    """Why the exported target carries it: without, the test above is not passed."""
    plugin = tmp_path / "plugin.so"
    run("cc", "-shared", "-fPIC", f"-I{prefix}/include", PROJECT / "plugin.c",
        f"{prefix}/lib/libcctx.a", "-pthread", "-o", plugin)  # fmt: skip
    run(by_package / "unload", plugin, fails=True)


def test_find_package_refuses_another_minor_version(prefix, tmp_path, run):
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", "-DWANTED=0.0.9", "-DFEW=ON"]
    said = configure(run, "package", tmp_path / "build", *options, fails=True)
    assert "compatible" in said and VERSION in said


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, run):
    build = tmp_path_factory.mktemp("fetched") / "the build"
    configure(run, "fetch", build, f"-DFETCHCONTENT_SOURCE_DIR_CCTX={ROOT}")
    run("cmake", "--build", build)
    return build


def test_fetched_source_builds_programs(fetched, run):
    for program in ["shared", "static", "cpp"]:
        assert run(fetched / "out" / program) == SAID
    assert run(fetched / "out/bound") == "acme, canceled\n"


def test_fetched_source_leaves_the_outer_project_as_it_was(fetched):
    cache = (fetched / "CMakeCache.txt").read_text()
    assert re.search(r"^CMAKE_BUILD_TYPE:STRING=$", cache, re.M)
    commands = json.loads((fetched / "compile_commands.json").read_text())
    (own,) = [c["command"] for c in commands if c["file"].endswith("/bound.c")]
    assert not re.search(r" -W| -O| -fvisibility| -D", own)


def test_subdirectory_builds_the_library_and_nothing_else(tmp_path, run):
    configure(run, "directory", tmp_path, f"-DCCTX={ROOT}", "-DFEW=ON")
    plan = run("ninja", "-C", tmp_path, "-t", "commands")
    core = {path.name for path in (ROOT / "core").rglob("*.c")}
    assert set(re.findall(r" -c \S*/(\w+\.c)\b", plan)) == core | {"program.c"}
    assert not re.search(r"-o \S+\.a\b|libcctx\w*\.a", plan)


def test_staged_installation_names_the_prefix_and_not_the_stage(install, tmp_path, run):
    stage = tmp_path / "the stage"
    install("/opt/cctx", env={"DESTDIR": stage})
    pc = (stage / "opt/cctx/lib/pkgconfig/cctx.pc").read_text()
    assert "prefix=/opt/cctx\n" in pc
    for path in stage.rglob("*"):
        if path.is_file():
            assert bytes(stage) not in path.read_bytes(), path


@pytest.mark.parametrize("staged", [False, True], ids=["prefix", "stage"])
def test_uninstall_leaves_nothing(install, build, tmp_path, run, staged):
    stage = {"DESTDIR": tmp_path / "the stage"} if staged else {}
    prefix = tmp_path / "the prefix"
    install(prefix, env=stage)
    where = pathlib.Path(f"{stage.get('DESTDIR', '')}{prefix}")
    assert (where / "lib/libcctx.so.0").exists()
    (tmp_path / "hello.py").write_text("import cctx")
    program = [where / "bin/cctx", "run", tmp_path / "hello.py"]
    run(*program, env={"PYTHONDONTWRITEBYTECODE": ""})
    assert list(where.rglob("__pycache__"))
    run("cmake", "--build", build, "--target", "uninstall", env=stage)
    left = {str(path.relative_to(where)) for path in where.rglob("*")}
    assert left <= set(SHARED_DIRECTORIES), left


def test_uninstall_without_an_installation_says_so(tmp_path, run):
    script = ROOT / "cmake/uninstall.cmake"
    said = run("cmake", f"-DBINARY={tmp_path}", "-P", script, fails=True)
    assert "Nothing was installed" in said


def test_moved_installation_still_works(install, tmp_path, run):
    moved = tmp_path / "moved here"
    install(tmp_path / "was here").rename(moved)
    assert run(moved / "bin/cctx", "--version") == f"cctx {VERSION}\n"
    script = """
        print(require "cctx"._VERSION)
        for line in io.lines "/proc/self/maps" do
          print(line:match "/.*libcctx.*" or "")
        end"""
    env = {"LUA_CPATH": moved / "lib/lua/5.4/?.so"}
    version, *mapped = run("lua5.4", "-e", script, env=env).splitlines()
    assert version == VERSION
    assert {path for path in mapped if path} == {str(moved / "lib/libcctx.so.0")}
    project = tmp_path / "project"
    configure(run, "package", project, f"-DCMAKE_PREFIX_PATH={moved}", "-DFEW=ON")
    run("cmake", "--build", project)
    assert run(project / "out/shared") == SAID


HELLO = {
    "hello.py": """
import cctx, sys
print(cctx.metadata("tenant"), cctx.__file__, cctx.get_include())""",
    "hello.lua": """
print(require "cctx".metadata "tenant", (package.searchpath("cctx", package.cpath)))""",
}


@pytest.mark.parametrize("script", HELLO)
def test_installed_program_finds_its_own_bindings(install, tmp_path, run, script):
    """Wherever it was moved, and without a word in the environment."""
    moved = tmp_path / "moved here"
    install(tmp_path / "was here").rename(moved)
    (tmp_path / script).write_text(HELLO[script])
    program = [moved / "bin/cctx", "run", "--meta", "tenant=acme", tmp_path / script]
    said = run("env", "-i", *program, cwd="/").rstrip("\n")
    package = moved / "lib/cctx/python/cctx"
    assert said == {
        "hello.py": f"acme {package}/__init__.py {moved}/include",
        "hello.lua": f"acme\t{moved}/lib/lua/5.4/cctx.so",
    }[script]


def test_components_are_installed_by_themselves(install, tmp_path):
    install(tmp_path / "lua", "--component", "lua")
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    module = {"lua/lib/lua/5.4/cctx.so", "lua/lib/lua/5.4/cctx/_cctx.so"}
    definitions = {path.name for path in (ROOT / "bindings/lua/meta").glob("*.lua")}
    assert files == module | {f"lua/share/cctx/lua/{name}" for name in definitions}
    install(tmp_path / "run", "--component", "runtime")
    (library,) = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert library.name == "libcctx.so.0"
