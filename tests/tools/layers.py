# SPDX-License-Identifier: Apache-2.0
"""Fails where an include points up, or where the core or a file has outgrown its room.

Usage: layers.py [BUILD TREE]; with one, the functions it exports are counted too.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = "tests/tools/layers.py"

# core/: a file may include its own header and those of the rows above it. A new file is
# added here, in the lowest row it can have.
CORE = """
    text site memory list heap status log
    lock mark strict
    clock pool thread
    alarm
    key pairs
    entries
    context
    watch
    stop
    scope interpreter
    current
    observer request release
    cancel value merge metadata loop string signal
    derive
    shared
    observe wait
    boot timeout traceparent baggage
    carrier
"""

# core/include/cctx/: a public header may include those of the rows above it.
PUBLIC = """
    base
    memory clock log
    context
    value metadata current carrier loop
    interpreter request
"""

# Everybody else sees public headers, system headers, and those of its own directory.
OTHERS = ["bindings/lua", "bindings/python", "extras", "host", "examples", "bench", "tests"]
SHARED = {"check.h"}  # tests/check.h, which tests of all directories include

CORE_LINES, FILE_LINES, FUNCTIONS = 4500, 500, 80


def ranks(table):
    rows = enumerate(table.split("\n"))
    return {name: row for row, names in rows for name in names.split()}


def includes(path):
    """Pairs of the bracket and the name of each include."""
    return re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', path.read_text(), re.M)


def check_core():
    rank = ranks(CORE)
    for path in sorted((ROOT / "core").glob("*.[ch]")):
        where = path.relative_to(ROOT)
        if path.stem not in rank:
            yield f"{where}: unknown file; give it a row in CORE of {TOOL}"
            continue
        for bracket, name in includes(path):
            other = name.removesuffix(".h")
            if bracket == "<" or name == path.stem + ".h":
                continue
            if rank.get(other, 999) >= rank[path.stem]:
                yield f"{where} includes {name}, which is not below it"


def check_public():
    rank = ranks(PUBLIC)
    for path in sorted((ROOT / "core/include/cctx").glob("*.h")):
        where = path.relative_to(ROOT)
        if path.stem not in rank:
            yield f"{where}: unknown header; give it a row in PUBLIC of {TOOL}"
            continue
        for bracket, name in includes(path):
            inner = re.fullmatch(r"cctx/(\w+)\.h", name)
            if bracket == '"':
                yield f'{where} includes "{name}": a public header includes <{name}>'
            elif inner and rank.get(inner[1], 999) >= rank[path.stem]:
                yield f"{where} includes {name}, which is not below it"


def check_others():
    for top in OTHERS:
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            for bracket, name in includes(path):
                own = (path.parent / name).exists() or name in SHARED
                tests_share = top == "tests" and own  # a fuzz target drives the same model
                made = name.endswith("_py.h")  # by CMake, from host/NAME.py
                if bracket != '"' or tests_share:
                    continue
                if "/" in name or not (own or made):
                    yield f"{path.relative_to(ROOT)} includes {name}: not a public header"


def check_sizes(build):
    core = 0
    for top in ["core", *OTHERS]:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in {".c", ".h", ".py", ".lua"} or not path.is_file():
                continue
            lines = path.read_text().count("\n")
            # The public headers are the book: a sentence there is not weighed against code.
            core += lines if top == "core" and "include" not in path.parts else 0
            if lines > FILE_LINES:
                where = path.relative_to(ROOT)
                yield f"{where}: {lines} lines, over {FILE_LINES}: split it"
    if core > CORE_LINES:
        yield f"core/ has {core} lines beside the public headers, over {CORE_LINES}"
    print(f"core/: {core} lines of {CORE_LINES}, beside the public headers")
    library = build / "libcctx.so.0" if build else None
    if library and library.exists():
        command = ["nm", "-D", "--defined-only", str(library)]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        names = sorted(re.findall(r" T (\w+)", said.stdout))
        strays = [name for name in names if not name.startswith("cctx_")]
        yield from (f"{name}: exported, but not named cctx_" for name in strays)
        if len(names) > FUNCTIONS:
            yield f"libcctx exports {len(names)} functions, over {FUNCTIONS}"
        print(f"libcctx: {len(names)} exported functions of {FUNCTIONS}")


def main():
    build = ROOT / sys.argv[1] if len(sys.argv) > 1 else None
    wrong = [*check_core(), *check_public(), *check_others(), *check_sizes(build)]
    print("\n".join(wrong) or "all includes point down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
