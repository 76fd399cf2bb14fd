# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built, found clean, installed in a view of this system, removed."""

import os
import pathlib
import shutil

import pytest

HERE = pathlib.Path(__file__).parent
PACKAGES = ["libcctx0", "libcctx-dev", "lua-cctx", "python3-cctx", "cctx"]
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def packages(copy_source, tmp_path_factory, run):
    """The directory that dpkg-buildpackage leaves them in."""
    for program in ["dpkg-buildpackage", "dh_python3", "lintian"]:
        if not shutil.which(program):
            pytest.skip(f"no {program} here")
    tmp = tmp_path_factory.mktemp("debian")
    copy = copy_source(tmp / "cctx")
    # Debian's interpreter builds them, whichever runs this test.
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEB_BUILD_OPTIONS": "parallel=2"}
    run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=copy, env=env)
    return tmp


def test_packages_are_all_there(packages):
    built = {path.name.split("_")[0] for path in packages.glob("*.deb")}
    assert {name for name in built if not name.endswith("-dbgsym")} == set(PACKAGES)


def test_lintian_finds_neither_errors_nor_warnings(packages, run):
    (changes,) = packages.glob("*.changes")
    said = run("lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", changes)
    assert "E:" not in said and "W:" not in said


def test_symbols_file_has_each_name_with_the_version_that_brought_it(packages, run):
    (library,) = packages.glob("libcctx0_*.deb")
    script = 'dpkg-deb --ctrl-tarfile "$1" | tar -xO ./symbols'
    symbols = run("sh", "-c", script, "sh", library)
    assert symbols.startswith("libcctx.so.0 libcctx0 #MINVER#\n")
    assert " cctx_current@CCTX_0.1 0.1.0\n" in symbols


def test_packages_depend_on_the_library_and_not_on_copies(packages, run):
    for name in ["lua-cctx", "python3-cctx", "cctx"]:
        (package,) = packages.glob(f"{name}_*.deb")
        assert "libcctx0 (>= 0.1" in run("dpkg-deb", "-f", package, "Depends")
        assert "libcctx.so" not in run("dpkg-deb", "-c", package)


def test_installed_packages_work_and_leave_nothing_when_removed(packages, run):
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root, to install packages into a view of this system")
    view = packages / "view"
    view.mkdir()
    said = run("unshare", "--mount", "sh", HERE / "debian/view.sh", view, packages,
               HERE / "debian/use.sh", HERE / "project")  # fmt: skip
    if "view: impossible" in said:
        pytest.skip("no overlay file system here")
    assert said.splitlines()[-1] == "used and removed", said
