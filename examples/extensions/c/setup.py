# SPDX-License-Identifier: Apache-2.0
"""Builds quota against the headers of the installed cctx. It links no library."""

import cctx
from setuptools import Extension, setup

setup(
    name="quota",
    version="1",
    py_modules=[],
    install_requires=["pycctx"],
    ext_modules=[Extension("quota", ["quota.c"], include_dirs=[cctx.get_include()])],
)
