# SPDX-License-Identifier: Apache-2.0
"""Every public header compiles alone, as C11 and as C++17, and needs no other first."""

import pathlib
import shutil
import subprocess

import pytest

CORE = pathlib.Path(__file__).resolve().parents[2] / "core/include"
HEADERS = [CORE / "cctx.h", *sorted((CORE / "cctx").glob("*.h"))]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only"]
LANGUAGES = {
    "c11": ["cc", "-xc", "-std=c11", "-Wshadow", "-Wstrict-prototypes"],
    "c++17": ["c++", "-xc++", "-std=c++17"],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_header_compiles_alone(unsanitized, header, language):
    compiler, *flags = LANGUAGES[language]
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not on this machine")
    # Twice: the second time must be empty.
    code = f'#include "{header}"\n#include "{header}"\n'
    command = [compiler, *flags, *WARNINGS, f"-I{CORE}", "-"]
    said = subprocess.run(command, input=code, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
