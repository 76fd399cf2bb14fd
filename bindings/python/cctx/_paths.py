# SPDX-License-Identifier: Apache-2.0
"""Where the headers and the library are, for extensions that are built against them."""

import pathlib

_PACKAGE = pathlib.Path(__file__).parent

try:  # a package that brings no library of its own
    from cctx._system import INCLUDE as _INCLUDE
    from cctx._system import LIBRARY as _LIBRARY
except ImportError:
    _INCLUDE = str(_PACKAGE / "include")
    _LIBRARY = str(_PACKAGE)


def get_include():
    """The directory of cctx.h, cctx.hpp and cctx/python.h."""
    return _INCLUDE


def get_library_dirs():
    """The directories to look in for get_libraries(), in a list."""
    return [_LIBRARY]


def get_libraries():
    """What to link, by the name that every copy of the library has."""
    return [":libcctx.so.0"]
