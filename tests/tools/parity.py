# SPDX-License-Identifier: Apache-2.0
"""Fails if a public function has no doc comment, no place in the docs, or no binding.

A binding that lacks a function on purpose is excused in parity.txt, one line each:
"cctx_name lua,python: reason".
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXCUSES = ROOT / "tests/tools/parity.txt"
LANGUAGES = ("lua", "python")
DECLARATION = re.compile(r"^(?!\s*#).*?CCTX_API\s[^;(]*?\b(cctx_\w+)\(", re.M)


def read(*patterns):
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return "\n".join(path.read_text() for path in paths)


def functions():
    """Each public function: (name, the header that has it, whether it is documented)."""
    for header in sorted((ROOT / "core/include/cctx").glob("*.h")):
        for block in re.split(r"\n\s*\n", header.read_text()):
            for found in DECLARATION.finditer(block):
                yield found[1], header.name, "/**" in block[: found.start()]


def macros():
    """The function-like macros that stand for a function: {function: {macro, ...}}."""
    found = {}
    text = read("core/include/cctx/*.h").replace("\\\n", " ")
    for macro, body in re.findall(r"#define (cctx_\w+)\([^)]*\)(.*)", text):
        for name in re.findall(r"\b(cctx_\w+)\(", body):
            found.setdefault(name, set()).add(macro)
    return found


def excuses():
    """{(function, language)}; a line that does not parse is an error."""
    found = set()
    for line in EXCUSES.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(cctx_\w+) ([a-z,]+): (.+)", line)
        if not match or not set(match[2].split(",")) <= set(LANGUAGES):
            sys.exit(f'{EXCUSES.name}: not "cctx_name lua,python: reason": {line}')
        found |= {(match[1], language) for language in match[2].split(",")}
    return found


def main():
    docs = read("README.md", "docs/**/*.md")
    bound = {language: read(f"bindings/{language}/*.c") for language in LANGUAGES}
    also, excused, wrong, names = macros(), excuses(), [], set()
    for name, header, documented in functions():
        names.add(name)
        said = re.compile(r"\b(%s)\b" % "|".join([name, *sorted(also.get(name, ()))]))
        if not documented:
            wrong.append(f"{name}: no doc comment in {header}")
        if not said.search(docs):
            wrong.append(f"{name}: neither in README.md nor in docs/")
        for language in LANGUAGES:
            if said.search(bound[language]):
                if (name, language) in excused:
                    wrong.append(f"{name}: excused in {language}, yet bound there")
            elif (name, language) not in excused:
                wrong.append(f"{name}: not bound in {language}, nor excused")
    wrong += [f"{n}: excused, but no public function" for n, _ in excused if n not in names]
    good = f"{len(names)} public functions: documented, and bound or excused"
    print("\n".join(wrong) or good)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
