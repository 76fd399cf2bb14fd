# SPDX-License-Identifier: Apache-2.0
"""Every header of extras compiles alone, as C11 and as C++17, on the public headers."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ["-I", str(ROOT / "core/include"), "-I", str(ROOT / "extras/include")]
HEADERS = sorted((ROOT / "extras/include/cctx").glob("*.h"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only"]
LANGUAGES = {
    "c11": ["cc", "-xc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wshadow", "-Wstrict-prototypes"],
    "c++17": ["c++", "-xc++", "-std=c++17"],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_header_compiles_alone(unsanitized, header, language):
    compiler, *flags = LANGUAGES[language]
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not on this machine")
    code = f'#include "{header}"\n#include "{header}"\n'
    command = [compiler, *flags, *WARNINGS, *INCLUDE, "-"]
    said = subprocess.run(command, input=code, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
