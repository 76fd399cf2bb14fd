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
    """The files of every libcctx in this process, where the system tells."""
    try:
        lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    paths = {line.split(None, 5)[5] for line in lines if line.count("/")}
    return sorted(path for path in paths if pathlib.Path(path).name.startswith("libcctx."))


def version_of(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def warnings(libraries):
    if len(libraries) > 1:
        yield "more than one libcctx is loaded: what one sets, the others do not see"
    other = version_of("cctx")
    if other is not None:
        yield (
            f"the distribution 'cctx' {other} is installed: it is another project, whose "
            "files may take the place of this one's; uninstall it, then reinstall pycctx"
        )


def main():
    libraries = mapped_libraries()
    rows = [
        ("version", f"{cctx.__version__} on {platform.python_implementation()} "
                    f"{platform.python_version()}"),  # fmt: skip
        ("distribution", f"pycctx {version_of('pycctx') or 'not installed'}"),
        ("package", PACKAGE),
        ("extension", cctx._cctx.__file__),
        *(("library", path) for path in libraries),
        ("headers", cctx.get_include()),
    ]
    for name, value in rows:
        print(f"{name:13} {value}")
    wrong = list(warnings(libraries))
    for sentence in wrong:
        print(f"warning: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
