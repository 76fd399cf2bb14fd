# SPDX-License-Identifier: Apache-2.0
"""Builds render against the installed cctx."""

import cctx
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

work = Pybind11Extension(
    "render._work",
    ["render/_work.cpp"],
    cxx_std=17,
    include_dirs=[cctx.get_include()],
    library_dirs=cctx.get_library_dirs(),
    libraries=cctx.get_libraries(),
)
setup(
    name="render",
    version="1",
    packages=["render"],
    install_requires=["pycctx"],
    ext_modules=[work],
)
