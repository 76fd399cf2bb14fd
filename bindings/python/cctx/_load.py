# SPDX-License-Identifier: Apache-2.0
"""Loads the extension, or says in a sentence why it cannot be loaded beside this core.

The loader does not load an extension beside a core that lacks what it calls, and says so in
words of its own. A core that is found to be older only later is refused by the extension.
"""

import re
import sys

LIBRARY = "libcctx.so.0"
LACKS = [r"version `CCTX_([\d.]+)' not found", r"undefined symbol: (cctx_\w+)",
         r"(cctx_\w+): symbol not found"]  # fmt: skip


def file_at(address):
    """The file that is mapped there."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end = (int(edge, 16) for edge in line.split(None, 1)[0].split("-"))
            if start <= address < end:
                return line.split(None, 5)[5].rstrip("\n")
    raise LookupError(address)


def look_at_core():
    """The file and the version of the core that this process has, or would find."""
    import ctypes
    import os

    core = ctypes.CDLL(LIBRARY, mode=os.RTLD_NOW)
    core.cctx_version.restype = ctypes.c_char_p
    version = core.cctx_version()
    address = ctypes.cast(core.cctx_version, ctypes.c_void_p).value
    return file_at(address), version.decode() if version else "unknown"


def explain(error):
    """The sentence for what the loader said, or None if it said something else."""
    found = [re.search(words, str(error)) for words in LACKS]
    lacks = [match[1] for match in found if match]
    if not lacks:
        return None
    try:
        path, version = look_at_core()
    except (ImportError, OSError, LookupError, AttributeError):  # no ctypes, /proc, core
        path, version = LIBRARY, "unknown"
    core = f"cctx: {path}, the core of cctx that this process has loaded, is version {version}"
    if lacks[0].startswith("cctx_"):
        return f"{core}, and lacks {lacks[0]}: install it and the package from one build"
    return (
        f"{core}, and {lacks[0]} or later is needed: upgrade it, or have the newer one loaded "
        "first"
    )


def load_from_program():
    """The extension that the program has inside: not every Python looks there for it."""
    import importlib.machinery
    import importlib.util

    spec = importlib.machinery.BuiltinImporter.find_spec("cctx._cctx")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    sys.modules["cctx"]._cctx = module


def load_extension():
    if "cctx._cctx" in sys.builtin_module_names and "cctx._cctx" not in sys.modules:
        load_from_program()
    try:
        import cctx._cctx  # noqa: F401
    except ImportError as error:
        sentence = explain(error)
        if sentence is None:
            raise
        raise ImportError(sentence, name=error.name, path=error.path) from None
