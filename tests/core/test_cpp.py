# SPDX-License-Identifier: Apache-2.0
"""The C++ headers compile alone and in any order, and say what a key cannot hold."""

import os
import pathlib
import shutil
import subprocess

import pytest

CORE = pathlib.Path(__file__).resolve().parents[2] / "core/include"
HEADERS = [CORE / "cctx.hpp", *sorted((CORE / "cctx/cpp").glob("*.hpp"))]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only"]


def compile_cpp(code, compiler="c++", standard="c++17"):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not on this machine")
    command = [compiler, "-xc++", f"-std={standard}", *WARNINGS, f"-I{CORE}", "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True)


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_cpp_header_compiles_alone(unsanitized, header, compiler, standard):
    if standard == "c++20" and header != HEADERS[0] and "CCTX_THOROUGH" not in os.environ:
        pytest.skip("./dev check runs it")
    # Twice: the second time must be empty.
    code = f'#include "{header}"\n#include "{header}"\n'
    said = compile_cpp(code, compiler, standard)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""


@pytest.mark.parametrize(
    "wrong, message",
    [
        ('static cctx::key<char> k{"k"}; auto v = cctx::background().value(k);', "T is bool"),
        ("cctx made;", "delete"),
        ("void f(cctx::scope &s) { cctx::scope copy(s); }", "delete"),
        ("cctx::ref r(cctx_background());", "private"),
    ],
)
def test_misuse_does_not_compile(unsanitized, wrong, message):
    said = compile_cpp(f"#include <cctx.hpp>\n{wrong}\n")
    assert said.returncode != 0
    assert message in said.stderr
