# SPDX-License-Identifier: Apache-2.0
"""The check of the ABI against the last release: it speaks up when it must."""

import pathlib
import shutil

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def project(tmp_path_factory, run):
    """The core in a repository of its own, without a release, and its build tree."""
    tmp = tmp_path_factory.mktemp("abi")
    for name in ["core", "cmake", "CMakeLists.txt", "tests/tools/abi.sh"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        (tmp / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tmp / name)
    run("git", "-C", tmp, "init", "-q")
    run("git", "-C", tmp, "add", "core", "cmake", "CMakeLists.txt")
    who = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"]
    run("git", "-C", tmp, *who, "commit", "-q", "-m", "released")
    run("cmake", "-S", tmp, "-B", tmp / "build", "-G", "Ninja", "-DCCTX_CORE=ON")
    return tmp


def compare(project, run, **options):
    run("cmake", "--build", project / "build", "--target", "cctx")
    return run("sh", project / "tests/tools/abi.sh", project / "build", **options)


def test_comparison_passes_additions_and_refuses_changes(project, run):
    if not shutil.which("abidiff"):
        pytest.skip("no abidiff here")
    assert "no release is tagged yet" in compare(project, run)
    run("git", "-C", project, "tag", "v0.0.1")
    assert "compared with v0.0.1" in compare(project, run)

    header, source = project / "core/include/cctx/clock.h", project / "core/clock.c"
    texts, map_text = header.read_text(), (project / "core/libcctx.map").read_text()
    (project / "core/libcctx.map").write_text(
        map_text.replace("cctx_alive;", "cctx_alive;\n    cctx_added;", 1)
    )
    added = "\nCCTX_API int cctx_added(void) { return 1; }\n"
    source.write_text(source.read_text() + added)
    compare(project, run)

    (project / "core/libcctx.map").write_text(map_text.replace("    cctx_now;\n", ""))
    assert "cctx_now" in compare(project, run, fails=True)

    (project / "core/libcctx.map").write_text(map_text)
    assert texts.count("int64_t cctx_now(void)") == 1
    header.write_text(texts.replace("int64_t cctx_now(void)", "double cctx_now(void)"))
    changed = source.read_text().replace("int64_t cctx_now(void)", "double cctx_now(void)")
    source.write_text(changed)
    assert "cctx_now" in compare(project, run, fails=True)
