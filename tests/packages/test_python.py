# SPDX-License-Identifier: Apache-2.0
"""The Python package as pip installs it: from the sdist alone, in several ways."""

import pathlib
import re
import shutil
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = {"CFLAGS": "-O0 -g0"}  # where what is compiled matters, and not how well
MAPPED = """
import cctx, cctx._cctx, pathlib
with cctx.use(cctx.background().with_metadata("tenant", "acme")):
    assert cctx.metadata("tenant") == "acme"
maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
paths = {line.split(None, 5)[5] for line in maps if "libcctx" in line}
print(*sorted(paths), cctx.__file__, sep="\\n")
print(cctx.get_include(), *cctx.get_library_dirs(), sep="\\n")
"""


def test_wheel_carries_core_types_and_headers(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ["libcctx.so.0", "__init__.py", "py.typed", "include/cctx.h", "__main__.py",
                 "include/cctx/python.h", "include/cctx/lua.h", "include/cctx.hpp",
                 "include/cctx/cpp/ref.hpp"]:  # fmt: skip
        assert f"cctx/{name}" in names


def test_wheel_has_every_module_and_stub_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = ROOT / "bindings/python"
    for path in (sources / "cctx").rglob("*.py*"):
        if path.suffix in (".py", ".pyi") and path.name != "_system.py":
            assert str(path.relative_to(sources)) in names


def test_bundled_library_exports_what_the_installed_one_does(wheel, prefix, tmp_path, run):
    zipfile.ZipFile(wheel).extract("cctx/libcctx.so.0", tmp_path)
    ask = ["nm", "-D", "--defined-only", "--with-symbol-versions", "--format=just-symbols"]
    installed = run(*ask, prefix / "lib/libcctx.so.0")
    assert run(*ask, tmp_path / "cctx/libcctx.so.0") == installed


def test_installed_package_maps_the_core_beside_it(environment):
    library, init, include, directory = environment.run("-c", MAPPED).splitlines()
    package = environment.packages / "cctx"
    assert library == str(package / "libcctx.so.0")
    assert pathlib.Path(init).parent == package
    assert pathlib.Path(include, "cctx.h").is_file() and directory == str(package)


def test_package_uses_the_core_that_is_loaded_already(environment, prefix):
    """A host's, though the package has one beside it: it goes by the name."""
    host = f"import ctypes; ctypes.CDLL({str(prefix / 'lib/libcctx.so.0')!r})\n"
    library, *_ = environment.run("-c", host + MAPPED).splitlines()
    assert library == f"{prefix}/lib/libcctx.so.0"
    module = "import runpy; runpy.run_module('cctx', run_name='__main__')"
    said = environment.run("-c", host + module)
    assert f"library       {prefix}/lib/libcctx.so.0\n" in said and "warning" not in said


def test_source_is_built_where_neither_git_nor_a_repository_is(source):
    assert not [path for path in source.rglob("*") if path.name.startswith(".git")]
    assert not (source / "tests").exists()


@pytest.mark.thorough
def test_editable_installation_runs_what_is_edited(source, new_environment, tmp_path):
    copy = shutil.copytree(source, tmp_path / "the copy")
    made = new_environment()
    made.install("-e", copy, env=QUICK)
    with open(copy / "bindings/python/cctx/__init__.py", "a") as init:
        init.write("\nEDITED = 7\n")
    said = made.run("-c", MAPPED + "print(cctx.EDITED)").splitlines()
    package = copy / "bindings/python/cctx"
    assert said == [f"{package}/libcctx.so.0", f"{package}/__init__.py",
                    f"{package}/include", f"{package}", "7"]  # fmt: skip


@pytest.mark.thorough
def test_system_library_is_linked_on_demand(source, prefix, new_environment, tmp_path):
    copy = shutil.copytree(source, tmp_path / "the copy")
    made = new_environment()
    env = {"CCTX_USE_SYSTEM": 1, "PKG_CONFIG_PATH": prefix / "lib/pkgconfig", **QUICK}
    made.install(copy, env=env)
    said = made.run("-c", MAPPED, env={"LD_LIBRARY_PATH": prefix / "lib"}).splitlines()
    package = made.packages / "cctx"
    assert said == [f"{prefix}/lib/libcctx.so.0", f"{package}/__init__.py",
                    f"{prefix}/include", f"{prefix}/lib"]  # fmt: skip
    assert not list(package.rglob("libcctx*")) and not (package / "include").exists()


@pytest.mark.thorough
def test_build_in_place_can_be_made_of_the_other_kind(source, prefix, tmp_path, run):
    """What one kind of build left behind is not found by the other."""
    copy = shutil.copytree(source, tmp_path / "the copy")
    package = copy / "bindings/python/cctx"
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    env = {"CCTX_USE_SYSTEM": 1, "PKG_CONFIG_PATH": prefix / "lib/pkgconfig", **QUICK}
    (package / "libcctx.so.0").touch()
    run(*build, env=env, cwd=copy)
    assert (package / "_system.py").exists() and not (package / "libcctx.so.0").exists()


def test_system_library_that_is_missing_is_named(source, tmp_path, run):
    env = {"CCTX_USE_SYSTEM": 1, "PKG_CONFIG_LIBDIR": tmp_path}
    to = ["-b", tmp_path, "-t", tmp_path]
    said = run(
        sys.executable, "setup.py", "-q", "build_ext", *to, env=env, cwd=source, fails=True
    )
    assert "CCTX_USE_SYSTEM is set, but libcctx is not found" in said


def test_module_says_what_is_loaded_from_where(environment):
    said = environment.run("-m", "cctx")
    package = environment.packages / "cctx"
    rows = dict(re.findall(r"^(\w+) +(.+)$", said, re.M))
    assert rows["distribution"] == "pycctx " + rows["version"].split()[0]
    assert rows["library"] == str(package / "libcctx.so.0")
    assert rows["headers"] == str(package / "include")
    assert rows["extension"].startswith(str(package / "_cctx."))
    assert "warning" not in said


def test_module_warns_of_the_other_distribution(environment):
    other = environment.packages / "cctx-9.8.dist-info"
    other.mkdir()
    try:
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: cctx\nVersion: 9.8\n")
        said = environment.run("-m", "cctx", fails=True)
    finally:
        shutil.rmtree(other)
    assert "the distribution 'cctx' 9.8 is installed: it is another project" in said
