# SPDX-License-Identifier: Apache-2.0
"""Fails if a Markdown file links to what is not there, or shows code that does not parse.

Blocks marked python, lua or sh are parsed; C is compiled where a test includes it.
"""

import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
PARSERS = {  # commands that read a program from standard input, and only parse it
    "lua": ["lua5.4", "-e", "assert(load(io.read 'a'))"],
    "sh": ["sh", "-n"],
    "python": [sys.executable, "-c", "import ast, sys; ast.parse(sys.stdin.read())"],
}


def anchors(text):
    for title in re.findall(r"^#+ +(.+)$", FENCE.sub("", text), re.M):
        yield re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def check_links(path, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        if not other.exists():
            yield f"link to {target}: no such file"
        elif anchor and anchor not in anchors(other.read_text()):
            yield f"link to {target}: no such heading"


def check_code(text):
    for indent, language, code in FENCE.findall(text):
        if language not in PARSERS:
            continue
        program = textwrap.dedent(code) if indent else code
        command = PARSERS[language]
        said = subprocess.run(command, input=program, capture_output=True, text=True)
        if said.returncode != 0:
            first = code.strip().split("\n")[0]
            yield f"{language} block that begins {first!r}: {said.stderr.strip()[-200:]}"


def main():
    files = sorted(p for at in ("*.md", "docs/**/*.md", "tests/*.md") for p in ROOT.glob(at))
    wrong = []
    for path in files:
        text = path.read_text()
        for what in [*check_links(path, text), *check_code(text)]:
            wrong.append(f"{path.relative_to(ROOT)}: {what}")
    print("\n".join(wrong) or f"{len(files)} files: links lead somewhere, code parses")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
