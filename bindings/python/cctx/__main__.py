# SPDX-License-Identifier: Apache-2.0
"""python -m cctx: which cctx this is, what is loaded from where, and what is wrong."""

import importlib.metadata
import pathlib
import platform
import sys

import cctx
import cctx._cctx

PACKAGE = pathlib.Path(cctx.__file__).parent


def mapped_libraries():
    """The files that are called after libcctx, where the system tells."""
    try:
        lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    paths = {line.split(None, 5)[5] for line in lines if line.count("/")}
    return sorted(path for path in paths if pathlib.Path(path).name.startswith("libcctx"))


def version_of(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def warnings():
    core = cctx._cctx._core_check()
    if core is not None:
        yield core
    other = version_of("cctx")
    if other is not None:
        yield (
            f"the distribution 'cctx' {other} is installed: it is another project, whose "
            "files may take the place of this one's; uninstall it, then reinstall pycctx"
        )


def main():
    rows = [
        ("version", f"{cctx.__version__} on {platform.python_implementation()} "
                    f"{platform.python_version()}"),  # fmt: skip
        ("distribution", f"pycctx {version_of('pycctx') or 'not installed'}"),
        ("package", PACKAGE),
        ("extension", getattr(cctx._cctx, "__file__", "inside the program")),
        *(("library", path) for path in mapped_libraries()),
        ("headers", cctx.get_include()),
    ]
    for name, value in rows:
        print(f"{name:13} {value}")
    wrong = list(warnings())
    for sentence in wrong:
        print(f"warning: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
