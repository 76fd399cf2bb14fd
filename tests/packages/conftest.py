# SPDX-License-Identifier: Apache-2.0
"""What was installed, for the tests of it: a prefix, a wheel, environments. All in paths
with a space in them.

Tests marked `thorough` are long, or need the network: ./dev check runs them.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = (
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LUA_PATH",
    "LUA_CPATH",
    "PKG_CONFIG_PATH",
    "DESTDIR",
)
ALONE = ["--no-build-isolation", "--no-deps", "--no-index"]  # pip does without a network


def pytest_collection_modifyitems(items):
    if not os.environ.get("CCTX_THOROUGH"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="./dev check runs it"))


@pytest.fixture(autouse=True, scope="session")
def _plain(unsanitized):
    """Packages are built without sanitizers."""


def run_command(*command, fails=False, env=None, **options):
    """What it printed, on both streams. It must end well, or badly if it `fails`."""
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    said = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**clean, **{name: str(value) for name, value in (env or {}).items()}},
        **options,
    )
    shown = "\n".join([" ".join(map(str, command)), said.stdout[-6000:]])
    assert (said.returncode != 0) == fails, shown
    return said.stdout


@pytest.fixture(scope="session")
def run():
    return run_command


@pytest.fixture(scope="session")
def install(build):
    """Installs the build tree, and leaves the manifest of an earlier installation alone."""
    manifests = {path: path.read_bytes() for path in build.glob("install_manifest*.txt")}

    def into(prefix, *options, env=None):
        run_command("cmake", "--install", build, "--prefix", prefix, *options, env=env)
        return prefix

    yield into
    for path, content in manifests.items():
        path.write_bytes(content)


@pytest.fixture(scope="session")
def prefix(install, tmp_path_factory):
    """Everything installed into a prefix of its own."""
    return install(tmp_path_factory.mktemp("installed") / "a prefix")


@pytest.fixture(scope="session")
def copy_source():
    """Copies what packages are made of, without what builds leave in it."""
    names = """CHANGELOG.md CMakeLists.txt CONTRIBUTING.md LICENSE MANIFEST.in README.md
        bindings cctx-scm-1.rockspec cmake core debian docs extras host pyproject.toml
        setup.py""".split()
    left = shutil.ignore_patterns("*.so*", "__pycache__", "*.egg-info", "_system.py", "tmp")

    def copy_to(directory):
        for name in names:
            copy = shutil.copyfile if (ROOT / name).is_file() else shutil.copytree
            directory.mkdir(exist_ok=True)
            options = {} if copy is shutil.copyfile else {"ignore": left}
            copy(ROOT / name, directory / name, **options)
        (directory / "debian/rules").chmod(0o755)
        return directory

    return copy_to


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The source tree of the sdist, unpacked: what it lacks shows."""
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    tmp = tmp_path_factory.mktemp("sdist")
    run_command(sys.executable, "setup.py", "-q", "egg_info", "-e", tmp, "sdist", "-d", tmp,
                cwd=ROOT)  # fmt: skip
    (sdist,) = tmp.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp / "the source")
    (unpacked,) = (tmp / "the source").iterdir()
    return unpacked


@pytest.fixture(scope="session")
def wheel(source, tmp_path_factory):
    """A wheel built from the sdist alone."""
    tmp = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(source, tmp / "the source")
    quick = {"CFLAGS": "-O0 -g0"}  # how well it is compiled does not matter here
    run_command(
        sys.executable, "-m", "pip", "wheel", "-q", *ALONE, "-w", tmp, source, env=quick
    )
    (built,) = tmp.glob("*.whl")
    return built


class Environment:
    """A virtual environment, into which the pip of the test's own interpreter installs."""

    def __init__(self, directory):
        run_command(sys.executable, "-m", "venv", "--without-pip", "--system-site-packages",
                    directory)  # fmt: skip
        self.python = directory / "bin" / "python"
        (self.packages,) = directory.glob("lib/python3*/site-packages")

    def install(self, *what, env=None):
        pip = [sys.executable, "-m", "pip", "--python", self.python]
        run_command(*pip, "install", "-q", *ALONE, *what, env=env)

    def run(self, *arguments, **options):
        return run_command(
            self.python, "-I", *arguments, cwd=self.packages.parent, **options
        )


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory):
    return lambda: Environment(tmp_path_factory.mktemp("environment") / "an env")


@pytest.fixture(scope="session")
def environment(wheel, new_environment):
    """An environment with the wheel in it."""
    made = new_environment()
    made.install(wheel)
    return made
