# SPDX-License-Identifier: Apache-2.0
"""Builds a library or module with a fault, from the objects of a build tree.

One file is compiled anew, as the tree would compile it, and linked with the others that are
there. The result is a folder that is laid out as a build tree, with links for the rest.
"""

import pathlib
import re
import subprocess

from faults import ROOT

TARGETS = {
    "core": ("cctx", "libcctx.so.0"),
    "bindings/lua": ("lua_cctx", "lua/cctx/_cctx.so"),
    "bindings/python": ("py__cctx", "python/cctx/_cctx"),
}


def commands(tree, target):
    """How the tree compiles each file of `target`, and how it links them."""
    listed = subprocess.run(
        ["ninja", "-C", tree, "-t", "commands", target],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [line for line in listed.split("\n") if line]


def run(command, tree):
    subprocess.run(command, shell=True, cwd=tree, check=True)


def target_of(fault):
    return next(part for part in TARGETS if fault.file.startswith(part + "/"))


def compile_one(fault, tree, folder, lines):
    """Compile the edited file; the pair of its object in the tree, and the new one."""
    source = ROOT / fault.file
    edited = folder / "source" / fault.file
    edited.parent.mkdir(parents=True)
    edited.write_text(fault.edit(source.read_text()))
    line = next(line for line in lines if f"-c {source}" in line)
    before = re.search(r"-o (\S+\.o)\b", line)[1]
    after = folder / "edited.o"
    line = line.replace(f"-c {source}", f"-I{source.parent} -Wno-error -w -c {edited}")
    line = line.replace(f"-MD -MT {before} -MF {before}.d", "")
    run(line.replace(f"-o {before}", f"-o {after} -O1"), tree)
    return before, after


def link(lines, tree, output, before, after):
    """Link as the tree does, to `output`."""
    line = next(line for line in lines if " -shared " in line and f" {before}" in line)
    built = re.search(r"-o (\S+)", line)[1]
    line = line.replace(f" {before}", f" {after}").replace(f"-o {built}", f"-o {output}")
    run(line, tree)


def lay_out(tree, folder, part):
    """Links to what the tree has, but for the place of `part`."""
    for directory in ("lua/cctx", "lua", "python/cctx"):
        (folder / directory).mkdir(parents=True, exist_ok=True)
        for path in (tree / directory).iterdir():
            if not (folder / directory / path.name).exists():
                (folder / directory / path.name).symlink_to(path.resolve())
    (folder / "libcctx.so.0").symlink_to((tree / "libcctx.so.0").resolve())
    target, prefix = TARGETS[part]
    place = next(path for path in folder.glob(prefix + "*") if ".so" in path.name)
    place.unlink()
    return target, place


def plant(fault, tree, folder):
    """Make `folder` a tree with the fault, from what is built in `tree`."""
    if not fault.file.endswith(".c"):
        raise ValueError(f"{fault.name}: only C files can be planted by one object")
    target, place = lay_out(pathlib.Path(tree), folder, target_of(fault))
    lines = commands(tree, target)
    before, after = compile_one(fault, tree, folder, lines)
    link(lines, tree, place, before, after)
