# SPDX-License-Identifier: Apache-2.0
"""Extensions that others build against the installed package: the examples."""

import pathlib
import shutil

import pytest

pytestmark = pytest.mark.thorough

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples/extensions"
USE = """
import cctx, pathlib, {module}
print({module}.describe())
ctx = cctx.background().with_metadata("tenant", "acme").with_cancel()
with cctx.use(ctx):
    print({module}.describe())
    {more}
    ctx.cancel("the client left")
    print({module}.describe())
maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
print(len({{line.split(None, 5)[5] for line in maps if "libcctx" in line}}))
"""


@pytest.fixture
def use(environment, tmp_path):
    """Builds an example, and has `module` describe three contexts."""

    def build_and_run(name, module, more="pass"):
        copy = shutil.copytree(EXAMPLES / name, tmp_path / "the copy")
        environment.install(copy, env={"CFLAGS": "-O0 -g0 -Wall -Werror"})
        said = environment.run("-c", USE.format(module=module, more=more)).splitlines()
        assert said[:2] == ["nobody go on", "acme go on"]
        assert said[-2:] == ["acme stop", "1"]  # and one core
        return said[2:-2]

    return build_and_run


def test_c_extension_that_links_nothing_sees_the_context(use):
    use("c", "quota")


def test_cython_extension_sees_the_context_without_the_gil_too(use):
    pytest.importorskip("Cython")
    more = "print(audited.describe_without_gil())"
    assert use("cython", "audited", more) == ["acme go on"]


def test_pybind11_extension_sees_the_context_and_stops_with_it(use):
    pytest.importorskip("pybind11")
    assert use("pybind11", "render", "print(render.render(10))") == ["10"]
