# SPDX-License-Identifier: Apache-2.0
"""Runs the code that README.md and docs/ show, and compares what it prints.

A fenced block after the comment `<!-- run -->` is a whole program in its language; a block
after `<!-- output -->` is what each program before it, up to the last output, prints. A block after
`<!-- from FILE -->` is a part of that file of the repository, word for word.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(
    r"^<!-- (run|output|from [\w./]+) -->\n+```(\w+)\n(.*?)^```$", re.M | re.S
)
TIMEOUT = 20  # seconds for one program


def programs():
    """Each program shown: its language, its code, what it prints."""
    for page in PAGES:
        waiting = []
        for mark, language, code in MARKED.findall(page.read_text()):
            if mark == "run":
                waiting.append((language, code))
            elif mark == "output":
                assert waiting, f"{page.name}: an output without a program"
                for number, program in enumerate(waiting, 1):
                    where = f"{page.name}-{code.split()[0]}-{number}-{program[0]}"
                    yield pytest.param(*program, code, id=where)
                waiting = []
        assert not waiting, f"{page.name}: a program without its output"


def parts():
    for page in PAGES:
        for number, (mark, _, code) in enumerate(MARKED.findall(page.read_text()), 1):
            if mark.startswith("from "):
                yield pytest.param(mark[5:], code, id=f"{page.name}-{number}")


def compile_c(language, code, build, directory):
    source = directory / f"program.{language}"
    program = directory / "program"
    source.write_text(code)
    compiler, standard = {"c": ("cc", "c11"), "cpp": ("c++", "c++17")}[language]
    flags = [f"-std={standard}", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror"]
    flags += ["-I", ROOT / "core/include", "-I", ROOT / "extras/include"]
    libraries = ["-L", build, "-l:libcctx_extras.a", "-l:libcctx.so.0"]
    libraries += [f"-Wl,-rpath,{build}", "-pthread"]
    command = [shutil.which(compiler), *flags, source, "-o", program]
    said = subprocess.run([*command, *libraries], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return [program]


def command_for(language, code, build, directory):
    if language in ("c", "cpp"):
        return compile_c(language, code, build, directory)
    suffix, interpreter = {
        "python": (".py", sys.executable),
        "lua": (".lua", os.environ.get("LUA", "lua5.4")),
    }[language]
    script = directory / f"program{suffix}"
    script.write_text(code)
    return [interpreter, script]


@pytest.mark.parametrize("language, code, output", programs())
def test_shown_program_prints_what_is_shown(
    language, code, output, build, unsanitized, tmp_path
):
    env = {
        **os.environ,
        "LUA_CPATH": f"{build}/lua/?.so;;",
        "PYTHONPATH": f"{build}/python",
    }
    command = command_for(language, code, build, tmp_path)
    said = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == output


@pytest.mark.parametrize("file, code", parts())
def test_shown_part_is_in_its_file(file, code):
    assert code in (ROOT / file).read_text()


def test_page_of_the_server_shows_its_program_whole():
    rest = (ROOT / "examples/server/server.c").read_text()
    for mark, _, code in MARKED.findall((ROOT / "docs/server.md").read_text()):
        if mark == "from examples/server/server.c":
            rest = rest.replace(code, "", 1)
    assert re.sub(r"/\*.*?\*/", "", rest, count=2, flags=re.S).strip() == ""


def test_readme_shows_one_example_in_three_languages_with_one_output():
    marked = MARKED.findall((ROOT / "README.md").read_text())
    languages = [language for mark, language, _ in marked if mark == "run"]
    outputs = [code for mark, _, code in marked if mark == "output"]
    assert languages == ["python", "lua", "c"]
    assert len(outputs) == 1


def test_every_page_of_the_docs_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    missing = [p.name for p in PAGES[1:] if p.name != "index.md" and p.name not in index]
    assert missing == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_truth_table_names_tests_that_are_there():
    table = (ROOT / "docs" / "current.md").read_text().partition("## The truth table")[2]
    rows = [line for line in table.partition("\n## ")[0].splitlines() if line[:1] == "|"]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[-2])]
    tests = "".join(p.read_text() for folder in ("hosts", "core")
                    for p in (ROOT / "tests" / folder).glob("test_*.c"))
    assert len(named) >= 27
    assert [name for name in named if f"TEST({name})" not in tests] == []
