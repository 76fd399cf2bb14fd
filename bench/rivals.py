# SPDX-License-Identifier: Apache-2.0
"""Measures what the current context costs beside what does a part of its work, in one run:
contextvars in Python, weak tables in Lua, a thread-local in C.

Usage: rivals.py BUILD_TREE [--rounds N]

In each round an operation is measured right before or after its rival; the table has the
medians of all rounds, and their ratio.
"""

import argparse
import collections
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import plot
from report import machine, number

HERE = pathlib.Path(__file__).resolve().parent

# Rows: a headline, or what is measured and its point, and what the rival is and its point.
# A point is SOURCE/OPERATION.
TABLE = [
    "C, no interpreter in the process",
    ("current", "core/current:1", "a thread-local", "core/tls:0"),
    ("attach + detach", "core/attach:0", "malloc + free", "core/malloc:0"),
    ("request begin + end", "core/request:0", "malloc + free", "core/malloc:0"),
    "C that Python called, or a host that holds the GIL",
    ("current", "python/py_current:0", "PyContextVar_Get", "python/rival_py_current:0"),
    (
        "a switch of Context, current",
        "python/py_switched:0",
        "a switch, PyContextVar_Get",
        "python/rival_py_switched:0",
    ),
    (
        "current, GIL released",
        "python/py_released:0",
        "Ensure, PyContextVar_Get, Release",
        "python/rival_py_released:0",
    ),
    (
        "attach + detach",
        "python/py_attach:0",
        "PyContextVar_Set + Reset",
        "python/rival_py_attach:0",
    ),
    (
        "request begin + end",
        "python/py_request:0",
        "Context copy, Enter, Set, Exit",
        "python/rival_py_request:0",
    ),
    (
        "cctx_py_call of a C function",
        "python/py_call:0",
        "copy, Enter, Set, call, Exit",
        "python/rival_py_call:0",
    ),
    "Python",
    ("cctx.current()", "script/current", "ContextVar.get()", "script/rival current"),
    (
        'cctx.metadata("tenant")',
        "script/tenant",
        'ContextVar.get()["tenant"]',
        "script/rival tenant",
    ),
    ("with cctx.use(ctx)", "script/use", "set, reset", "script/rival use"),
    ("ctx.run(f)", "script/run", "copy_context().run(f)", "script/rival run"),
    ("use, a task inside", "script/task", "set, a task, reset", "script/rival task"),
    (
        "async with cctx.timeout(60)",
        "script/timeout",
        "async with asyncio.timeout(60)",
        "script/rival timeout",
    ),
    "Lua",
    (
        "cctx.current()",
        "lua/lua_current:0",
        "an empty C function",
        "lua/rival_lua_current:0",
    ),
    (
        'cctx.value "key"',
        "lua/lua_value:0",
        "weak_table[running()].key",
        "lua/rival_lua_value:0",
    ),
    ("ctx:run(f)", "lua/lua_run:0", "pcall(f)", "lua/rival_lua_run:0"),
    (
        "cctx.resume(co), it yields",
        "lua/lua_resume:0",
        "coroutine.resume(co)",
        "lua/rival_lua_resume:0",
    ),
    "C that calls Lua, or that Lua called",
    (
        "cctx_lua_current",
        "lua/c_lua_current:0",
        "a weak table, raw",
        "lua/rival_c_lua_current:0",
    ),
    ("cctx_lua_pcall", "lua/c_lua_pcall:0", "lua_pcall", "lua/rival_c_lua_pcall:0"),
    ("cctx_lua_resume", "lua/c_lua_resume:0", "lua_resume", "lua/rival_c_lua_resume:0"),
]
PAIRS = [row for row in TABLE if isinstance(row, tuple)]


def operations(source):
    """Those of one source, each beside its rival, none twice."""
    points = [point for row in PAIRS for point in (row[1], row[3])]
    found = [point.partition("/") for point in points]
    return list(dict.fromkeys(rest for name, _, rest in found if name == source))


def run_program(program, source, environment):
    """{operation: ns}, by one of the C programs."""
    said = subprocess.run(
        [str(program), *operations(source)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    results = map(json.loads, said.stdout.splitlines())
    return {f"{result['op']}:{result['x']}": result["ns"] for result in results}


def run_pyperf(environment):
    """{benchmark: ns}, by pyperf: each in a process of its own."""
    import pyperf

    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "out.json"
        subprocess.run(
            [sys.executable, str(HERE / "bench.py"), "--quiet", "--output", str(out)]
            + ["--processes=1", "--values=3", "--warmups=1", "--min-time=0.02"]
            + ["--inherit-environ", ",".join(environment)],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        suite = pyperf.BenchmarkSuite.load(str(out))
    return {one.get_name(): one.median() * 1e9 for one in suite.get_benchmarks()}


def measure(tree, rounds):
    """{point: median ns}."""
    python = {"PYTHONPATH": str(tree / "python")}
    lua = {"LUA_CPATH": f"{tree}/lua/?.so;;"}
    programs = [("core", "bench", {}), ("python", "bench_hosts", python)]
    programs += [("lua", "bench_hosts", lua)]
    samples = collections.defaultdict(list)
    has_pyperf = importlib.util.find_spec("pyperf") is not None
    if not has_pyperf:
        print("rivals.py: no pyperf, so Python's rows are left out", file=sys.stderr)
    for _ in range(rounds):
        for source, program, environment in programs:
            path = tree / "bench" / program
            for name, ns in run_program(path, source, environment).items():
                samples[f"{source}/{name}"].append(ns)
        for name, ns in run_pyperf(python).items() if has_pyperf else ():
            samples[f"script/{name}"].append(ns)
    return {point: statistics.median(found) for point, found in samples.items()}


# ---- What is told ----


def rows(median):
    """Headlines, and rows (says, ns, rival, its ns, ratio) of what was measured."""
    for row in TABLE:
        if isinstance(row, str):
            yield row
            continue
        says, point, rival, rival_point = row
        if point in median and rival_point in median:
            ours, theirs = median[point], median[rival_point]
            yield says, ours, rival, theirs, ours / theirs


def write_text(table, out):
    for row in table:
        if isinstance(row, str):
            print(row, file=out)
            continue
        says, ours, rival, theirs, ratio = row
        print(
            f"  {says:30}{number(ours):>8}  {rival:34}{number(theirs):>8}{ratio:8.1f}",
            file=out,
        )


def write_markdown(table, out):
    print("| | ns | beside | ns | ratio |\n|---|---:|---|---:|---:|", file=out)
    for row in table:
        if isinstance(row, str):
            print(f"| **{row}** | | | | |", file=out)
        else:
            says, ours, rival, theirs, ratio = row
            cells = [says, number(ours), rival, number(theirs), f"{ratio:.1f}"]
            print("| " + " | ".join(cells) + " |", file=out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    out = args.tree / "bench"
    table = list(rows(measure(args.tree.resolve(), args.rounds)))
    about = machine()
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"\nThe current context, on {about['cpu']}, beside Python {python} and Lua 5.4;")
    print(f"medians of {args.rounds} rounds, in ns, and the ratio\n")
    write_text(table, sys.stdout)
    with open(out / "rivals.md", "w", encoding="utf-8") as file:
        write_markdown(table, file)
    told = {"machine": about, "python": python, "rounds": args.rounds, "rows": table}
    (out / "rivals.json").write_text(json.dumps(told, indent=1) + "\n")
    (out / "rivals.svg").write_text(plot.draw_ratios(table), encoding="utf-8")
    print("written:", *(out / f"rivals.{end}" for end in ("json", "md", "svg")), sep="\n  ")


if __name__ == "__main__":
    main()
