# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark, beside Go's where there is one, and tells: a table, JSON, plots.

Usage: report.py BUILD_TREE [--go PROGRAM] [--callgrind] [--no-plots]

The two programs take turns, and of each operation the best time counts: what another
program on the machine slows down for a while is then slow in neither.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

import plot

PASSES = 3

# Rows of the table: a headline, or what it says and the operation with its x.
TABLE = [
    "what any program pays",
    ("malloc + free, 96 bytes", "malloc:0"),
    ("atomic add", "atomic:0"),
    ("cctx_now", "now:0"),
    "deriving, and giving back",
    ("ref + unref", "ref:0"),
    ("with_value + unref", "with_value:0"),
    ("with_cancel + finish", "with_cancel:0"),
    ("with_timeout + finish", "with_timeout:0"),
    ("detached + unref, no values", "detached:0"),
    ("detached + unref, 8 values", "detached:8"),
    "asking",
    ("err, no deadline", "err:1"),
    ("err, with a deadline", "err_timed:1"),
    ("err, canceled", "err_canceled:1"),
    ("remaining", "remaining:1"),
    ("value, 1 deep", "value:1"),
    ("value, 8 deep", "value:8"),
    ("value, 32 deep", "value:32"),
    ("value, 128 deep", "value:128"),
    ("value, absent, 32 deep", "value_miss:32"),
    "metadata",
    ("get, last of 10", "metadata:10"),
    ("get, last of 100", "metadata:100"),
    ("set + unref, besides 10", "metadata_set:10"),
    ("set + unref, besides 100", "metadata_set:100"),
    ("delete + unref, last of 10", "metadata_delete:10"),
    ("delete + unref, last of 100", "metadata_delete:100"),
    ("set 1 at once + unref", "with_metadata:1"),
    ("set 10 at once + unref", "with_metadata:10"),
    ("set 100 at once + unref", "with_metadata:100"),
    "the current context",
    ("current, nothing attached", "current:0"),
    ("current, attached", "current:1"),
    ("attach + detach", "attach:0"),
    "the backup store",
    ("current session, its state", "session_state:2"),
    ("current session, a reference", "session:2"),
    ("bind + unbind a session", "bind:2"),
    ("backup_enter + leave", "backup:2"),
    ("recover, nothing missing", "recover:0"),
    ("recover, 2 pairs", "recover:2"),
    ("manager_get, 1000 ids", "manager_get:1000"),
    ("manager_bind + unbind, 1000 ids", "manager_bind:1000"),
    "carriers",
    ("encode metainfo, 10 pairs", "encode:10"),
    ("encode metainfo, 100 pairs", "encode:100"),
    ("inject trace, timeout, 10 pairs", "inject:10"),
    ("extract trace, timeout, 10 pairs", "extract:10"),
    "being told",
    ("on_done + off_done", "on_done:0"),
    ("on_done + off_done, deadline, fd", "on_done_timed:0"),
    ("cancel, nobody observes", "cancel:0"),
    ("cancel, 1 observed child", "cancel:1"),
    ("cancel, 1000 observed children", "cancel:1000"),
    ("done_fd, first", "done_fd_first:0"),
    ("done_fd, again", "done_fd:0"),
]
POINTS = [row[1] for row in TABLE if isinstance(row, tuple)]


class Program:
    """A benchmark program, and the best that it has said of each point."""

    def __init__(self, path):
        self.path = path
        self.ops = set(self.run("--list").split())
        self.best = {}

    def run(self, *args):
        said = subprocess.run([self.path, *args], stdout=subprocess.PIPE, text=True)
        if said.returncode != 0:
            sys.exit(f"report.py: {self.path} ended with {said.returncode}")
        return said.stdout

    def measure(self, points):
        points = [point for point in points if point.split(":")[0] in self.ops]
        for line in self.run(*points).splitlines():
            result = json.loads(line)
            point = f"{result.pop('op')}:{result.pop('x')}"
            before = self.best.get(point)
            if before is None or result["ns"] < before["ns"]:
                self.best[point] = result

    def ns(self, point):
        return self.best.get(point, {}).get("ns")


def count_instructions(program):
    """Fill in what the processor's counter did not give; callgrind leaves a file a run."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "out"
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += ["--toggle-collect=bench_run", "--dump-after=bench_run"]
        command += [program.path, "--count", *POINTS]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for i, line in enumerate(said.stdout.splitlines(), 1):
            run = json.loads(line)
            total = re.search(r"^totals: (\d+)", out.with_suffix(f".{i}").read_text(), re.M)
            result = program.best[f"{run['op']}:{run['x']}"]
            result["instructions"] = round(int(total[1]) / run["n"], 1)


def number(value, digits=1):
    if value is None:
        return "n/a"
    if value == 0 or value >= 1000 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.{digits}f}" if value >= 0.1 else f"{value:.2g}"


def ratio(a, b):
    return number(a / b, 2) if a is not None and b else ""


HEADLINES = ["", "ns", "/malloc", "/atomic", "allocs", "syscalls", "instr.", "Go ns", "/Go"]


def rows(cctx, go):
    """The table as lists of strings; a headline is a list of one."""
    malloc, atomic = cctx.ns("malloc:0"), cctx.ns("atomic:0")
    for row in TABLE:
        if isinstance(row, str):
            yield [row]
            continue
        says, point = row
        result = cctx.best[point]
        other = go.ns(point) if go else None
        yield [
            says,
            number(result["ns"]),
            ratio(result["ns"], malloc),
            ratio(result["ns"], atomic),
            *(number(result[name]) for name in ("allocations", "syscalls", "instructions")),
            number(other) if other else "",
            ratio(result["ns"], other),
        ]


def write_text(table, out):
    line = "  {:34}" + "{:>9}" * 8
    print(line.format(*HEADLINES).rstrip(), file=out)
    for row in table:
        print(line.format(*row).rstrip() if len(row) > 1 else row[0], file=out)


def write_markdown(table, out):
    print("| " + " | ".join(HEADLINES) + " |", file=out)
    print("|---|" + "---:|" * 8, file=out)
    for row in table:
        cells = row if len(row) > 1 else [f"**{row[0]}**"] + [""] * 8
        print("| " + " | ".join(cells) + " |", file=out)


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = re.search(r"^model name\s*: (.+)$", file.read(), re.M)
        model = found[1] if found else model
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system()}


def build(tree):
    """How the C side was built: the compiler, and its flags."""
    cache = (tree / "CMakeCache.txt").read_text()
    made = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache, re.M)[1]
    flags = re.search(rf"^CMAKE_C_FLAGS_{made.upper()}:\w+=(.*)$", cache, re.M)
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", cache, re.M)[1]
    said = subprocess.run([compiler, "--version"], stdout=subprocess.PIPE, text=True)
    return f"{said.stdout.splitlines()[0]}, {flags[1] if flags else made or 'no flags'}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--go", help="the program of bench/go")
    parser.add_argument("--callgrind", action="store_true", help="count instructions")
    parser.add_argument("--no-plots", action="store_true", help="only the table")
    args = parser.parse_args()
    out = args.tree / "bench"
    cctx = Program(str(out / "bench"))
    go = Program(args.go) if args.go else None
    programs = [cctx, go] if go else [cctx]
    for _ in range(PASSES):
        for program in programs:
            program.measure(POINTS)
    if args.callgrind:
        count_instructions(cctx)
    table = list(rows(cctx, go))
    about = machine()
    version = go.run("--version").strip() if go else None
    about["build"] = build(args.tree)
    print(f"C on {about['cpu']}, {about['cores']} cores, by {about['build']};")
    print(f"beside {version or 'no Go'}\n")
    write_text(table, sys.stdout)
    with open(out / "bench.md", "w", encoding="utf-8") as file:
        write_markdown(table, file)
    if not args.no_plots:
        print("\nmeasuring the curves ...", flush=True)
        for program in programs:
            program.measure(plot.points())
    told = {"machine": about, "go": version, "cctx": cctx.best}
    told["go_points"] = go.best if go else {}
    (out / "bench.json").write_text(json.dumps(told, indent=1) + "\n")
    written = [out / "bench.json", out / "bench.md"]
    written += [] if args.no_plots else plot.draw_all(told, out)
    print("written:", *written, sep="\n  ")


if __name__ == "__main__":
    main()
