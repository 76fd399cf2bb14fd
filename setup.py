# SPDX-License-Identifier: Apache-2.0
"""Builds the package cctx: the C extension, and beside it the one libcctx it links.

The library keeps its name, libcctx.so.0, so that the loader has one core in a process that
brings several copies (a host, this package, a Lua module).
"""

import pathlib
import re
import shutil

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

LIBRARY = "libcctx.so.0"
VERSION = re.search(
    r'CCTX_VERSION_STRING "(.+)"', pathlib.Path("core/include/cctx/base.h").read_text()
)[1]
FLAGS = ["-std=c11", "-fvisibility=hidden", "-D_DEFAULT_SOURCE", "-UNDEBUG", "-pthread"]
LINK = ["-Wl,-z,now", "-Wl,-z,nodelete", "-pthread"]
MAP = "-Wl,--version-script=core/libcctx.map"


def files(pattern):
    return sorted(map(str, pathlib.Path().glob(pattern)))


class BuildWithCore(build_ext):
    """build_ext that first links the core as a shared library into the package."""

    def build_extension(self, ext):
        package = pathlib.Path(self.get_ext_fullpath(ext.name)).parent
        package.mkdir(parents=True, exist_ok=True)
        objects = self.compiler.compile(
            files("core/*.c"),
            output_dir=self.build_temp,
            include_dirs=["core/include"],
            debug=self.debug,
            extra_preargs=FLAGS,
            depends=files("core/*.h") + files("core/include/**/*.h"),
        )
        self.compiler.link_shared_object(
            objects,
            str(package / LIBRARY),
            extra_preargs=[*LINK, "-Wl,-z,defs", f"-Wl,-soname,{LIBRARY}", MAP],
        )
        ext.extra_objects = [str(package / LIBRARY)]
        super().build_extension(ext)
        self.copy_headers(package / "include")

    def copy_headers(self, to):
        """The C headers, for extensions that build against the installed package."""
        for tree in ["core/include", "bindings/lua/include", "bindings/python/include"]:
            for header in pathlib.Path(tree).rglob("*.h*"):
                copy = to / header.relative_to(tree)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(header, copy)


setup(
    name="pycctx",
    version=VERSION,
    description="One context for a request, seen alike by C, Lua and Python",
    long_description=pathlib.Path("README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.9",
    package_dir={"": "bindings/python"},
    packages=["cctx"],
    package_data={"cctx": ["py.typed", "*.pyi"]},
    zip_safe=False,
    cmdclass={"build_ext": BuildWithCore},
    ext_modules=[
        Extension(
            "cctx._cctx",
            files("bindings/python/*.c"),
            include_dirs=["core/include", "bindings/python/include"],
            depends=files("bindings/python/*.h") + files("core/include/**/*.h"),
            extra_compile_args=FLAGS,
            extra_link_args=[*LINK, "-Wl,-rpath,$ORIGIN"],
        )
    ],
)
