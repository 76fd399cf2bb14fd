# SPDX-License-Identifier: Apache-2.0
"""The package as pip installs it: from the sdist alone, into an environment of its own."""

import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

USE_INSTALLED = """
import cctx, pathlib, cctx._cctx
assert cctx.current() is not None
maps = pathlib.Path("/proc/self/maps").read_text().split("\\n")
print(*sorted({line.split()[-1] for line in maps if "libcctx" in line}), sep="\\n")
"""


def run(*command, **options):
    said = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    assert said.returncode == 0, f"{command}\n{said.stdout[-4000:]}"
    return said.stdout


@pytest.fixture(scope="module")
def wheel(unsanitized, tmp_path_factory):
    """A wheel built from the sdist, so that what the sdist lacks shows."""
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    tmp = tmp_path_factory.mktemp("package")
    run(sys.executable, "setup.py", "-q", "egg_info", "-e", tmp, "sdist", "-d", tmp,
        cwd=ROOT)  # fmt: skip
    (sdist,) = tmp.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp / "source")
    (source,) = (tmp / "source").iterdir()
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps",
        "--no-index", "-w", tmp, source)  # fmt: skip
    (built,) = tmp.glob("*.whl")
    return built


def test_wheel_carries_core_types_and_headers(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ["libcctx.so.0", "__init__.py", "py.typed", "include/cctx.h",
                 "include/cctx/python.h", "include/cctx/lua.h"]:  # fmt: skip
        assert f"cctx/{name}" in names


def test_installed_package_maps_one_core(wheel, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env/bin/python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    mapped = run(python, "-I", "-c", USE_INSTALLED, cwd=tmp_path).split()
    assert len(mapped) == 1, mapped
    assert mapped[0].endswith("/cctx/libcctx.so.0")
