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
# added here, in the lowest row it can have. A folder of it is a room of its own: the codecs of
# carriers know contexts by their public headers, but for the table of pairs that they send, and
# no context knows them, nor the backups.
CORE = """
    text site memory list heap status log copies
    lock strict
    clock pool thread mark
    alarm
    key pairs
    entries
    context
    watch metadata
    stop response
    scope interpreter
    current
    observer request release
    cancel value merge loop string signal
    derive
    shared
    observe wait
    carrier/policy carrier/counts carrier/at_hand carrier/boot
    carrier/names carrier/percent carrier/timeout carrier/expires carrier/traceparent
    carrier/source carrier/harvest carrier/send
    carrier/sink carrier/tracestate
    carrier/b3 carrier/baggage carrier/metainfo carrier/limit
    carrier/trace
    carrier/extract carrier/inject
    backup/duration backup/session backup/sweeper backup/capture
    backup/config backup/shard backup/variables
    backup/manager backup/recover
    backup/backup backup/check
"""

# core/include/cctx/: a public header may include those of the rows above it.
PUBLIC = """
    base
    memory clock log
    context carrier_codec
    value metadata current loop
    carrier_policy
    carrier interpreter request response session
    backup
"""

# Everybody else sees public headers, system headers, and those of its own directory.
OTHERS = ["bindings/lua", "bindings/python", "extras", "host", "examples", "bench", "tests"]
SHARED = {"check.h"}  # tests/check.h, which tests of all directories include

# Of each room the lines, beside the public headers, and the functions exported.
ROOMS = {"core": (4500, 80), "core/carrier": (2500, 60), "core/backup": (1700, 40)}
# Whose functions those in these headers are; all others are the core's own.
PUBLIC_HEADERS = "core/include/cctx"
HEADERS = {
    "core/carrier": ["carrier*.h"],
    "core/backup": ["backup.h", "session.h"],
}
FILE_LINES = 500


def ranks(table):
    rows = enumerate(table.split("\n"))
    return {name: row for row, names in rows for name in names.split()}


def includes(path):
    """Pairs of the bracket and the name of each include."""
    return re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', path.read_text(), re.M)


def check_core():
    rank = ranks(CORE)
    core = ROOT / "core"
    for path in sorted(core.rglob("*.[ch]")):
        noun = str(path.relative_to(core).with_suffix(""))
        where = path.relative_to(ROOT)
        if noun.startswith("include/"):
            continue
        if noun not in rank:
            yield f"{where}: unknown file; give it a row in CORE of {TOOL}"
            continue
        for bracket, name in includes(path):
            beside = path.parent / name
            base = path.parent if beside.exists() else core
            other = str((base / name).relative_to(core).with_suffix(""))
            if bracket == "<" or other == noun:
                continue
            if rank.get(other, 999) >= rank[noun]:
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
                made = re.search(r"_(py|html|js)\.h$", name)  # by CMake, from host/NAME.py
                if bracket != '"' or tests_share:
                    continue
                if "/" in name or not (own or made):
                    yield f"{path.relative_to(ROOT)} includes {name}: not a public header"


def check_sizes():
    rooms = dict.fromkeys(ROOMS, 0)
    for top in ["core", *OTHERS]:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in {".c", ".h", ".py", ".lua"} or not path.is_file():
                continue
            lines = path.read_text().count("\n")
            # The public headers are the book: a sentence there is not weighed against code.
            room = str(path.parent.relative_to(ROOT))
            rooms.update({room: rooms[room] + lines} if room in rooms else {})
            if lines > FILE_LINES:
                where = path.relative_to(ROOT)
                yield f"{where}: {lines} lines, over {FILE_LINES}: split it"
    for room, lines in rooms.items():
        if lines > ROOMS[room][0]:
            yield f"{room}/ has {lines} lines, over {ROOMS[room][0]}"
        print(f"{room}/: {lines} lines of {ROOMS[room][0]}, beside the public headers")


def check_exports(library):
    command = ["nm", "-D", "--defined-only", str(library)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    names = re.findall(r" T (\w+)", said.stdout)
    yield from (f"{name}: exported, but not named cctx_" for name in names if name[:5] != "cctx_")
    counts = {"core": len(names)}
    for room, patterns in HEADERS.items():
        paths = [path for glob in patterns for path in (ROOT / PUBLIC_HEADERS).glob(glob)]
        text = "\n".join(path.read_text() for path in paths)
        counts[room] = len(set(re.findall(r"CCTX_API\s[^;(]*?\b(cctx_\w+)\(", text)))
        counts["core"] -= counts[room]
    for room, count in counts.items():
        if count > ROOMS[room][1]:
            yield f"{room}/ exports {count} functions, over {ROOMS[room][1]}"
        print(f"{room}/: {count} exported functions of {ROOMS[room][1]}")


def main():
    build = ROOT / sys.argv[1] if len(sys.argv) > 1 else None
    wrong = [*check_core(), *check_public(), *check_others(), *check_sizes()]
    library = build / "libcctx.so.0" if build else None
    if library and library.exists():
        wrong += check_exports(library)
    print("\n".join(wrong) or "all includes point down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
