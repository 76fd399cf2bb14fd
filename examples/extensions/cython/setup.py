# SPDX-License-Identifier: Apache-2.0
"""Builds audited against the installed cctx."""

import cctx
from Cython.Build import cythonize
from setuptools import Extension, setup

work = Extension(
    "audited._work",
    ["audited/_work.pyx"],
    include_dirs=[cctx.get_include()],
    library_dirs=cctx.get_library_dirs(),
    libraries=cctx.get_libraries(),
)
setup(
    name="audited",
    version="1",
    packages=["audited"],
    install_requires=["pycctx"],
    ext_modules=cythonize([work]),
)
