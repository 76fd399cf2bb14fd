# SPDX-License-Identifier: Apache-2.0
"""The CPythons at hand that an extension can be built for.

Usage: pythons.py: a path a line, one for each version that is supported but that of the
interpreter that runs it.
"""

import os
import pathlib
import shutil
import subprocess
import sys

SUPPORTED = ["3.9", "3.10", "3.11", "3.12", "3.13"]
VERSIONS = [*SUPPORTED, "3.14"]  # for which wheels are built


def find_python(version):
    """An interpreter of that version with its headers, or None."""
    home = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    found = [shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin")]
    found += sorted(home.glob(f"versions/{version}.*/bin/python{version}"))
    ask = "import sysconfig; open(sysconfig.get_path('include') + '/Python.h')"
    for python in filter(None, found):
        if subprocess.run([python, "-c", ask], capture_output=True).returncode == 0:
            return python
    return None


def main():
    mine = "%d.%d" % sys.version_info[:2]
    for python in map(find_python, (v for v in SUPPORTED if v != mine)):
        if python:
            print(python)


if __name__ == "__main__":
    main()
