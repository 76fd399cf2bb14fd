# SPDX-License-Identifier: Apache-2.0
"""Builds the package cctx: the C extension, and beside it the one libcctx it links.

The library keeps its name, libcctx.so.0, so that the loader has one core in a process that
brings several copies (a host, this package, a Lua module). CCTX_USE_SYSTEM=1 brings none,
and links the library that pkg-config finds.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

LIBRARY = "libcctx.so.0"
VERSION = re.search(
    r'CCTX_VERSION_STRING "(.+)"', pathlib.Path("core/include/cctx/base.h").read_text()
)[1]
FLAGS = ["-std=c11", "-fvisibility=hidden", "-D_DEFAULT_SOURCE", "-UNDEBUG", "-pthread"]
LINK = ["-Wl,-z,now", "-Wl,-z,nodelete", "-pthread"]
SYSTEM = os.environ.get("CCTX_USE_SYSTEM", "") not in ("", "0")
BROUGHT = [LIBRARY, "include", "_system.py"]  # beside the extension; not all of them
MAP = "-Wl,--version-script=core/libcctx.map"


def files(pattern):
    return sorted(map(str, pathlib.Path().glob(pattern)))


def pkg_config(*options):
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), *options, f"cctx >= {VERSION}"]
    try:
        said = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"CCTX_USE_SYSTEM is set, but there is no {command[0]} to find it with")
    if said.returncode != 0:
        sys.exit(f"CCTX_USE_SYSTEM is set, but libcctx is not found:\n{said.stderr}")
    return said.stdout.strip()


def directory(variable):
    """A directory that pkg-config names, as it is called where the package will run."""
    path = pkg_config(f"--variable={variable}").replace("\\ ", " ")
    root = os.environ.get("PKG_CONFIG_SYSROOT_DIR", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def without_symbolic(command):
    """Where the core is under another name, it is to be bound to the one there is."""
    words = [re.sub(r",-Bsymbolic[^,]*", "", word) for word in command]
    return [word for word in words if word != "-Wl"]


def remove_brought(package):
    """What an earlier build put there, perhaps of the other kind."""
    for name in BROUGHT:
        if (package / name).is_dir():
            shutil.rmtree(package / name)
        else:
            (package / name).unlink(missing_ok=True)


class BuildWithCore(build_ext):
    """build_ext that first puts the core into the package, or looks for the system's."""

    def build_extension(self, ext):
        package = pathlib.Path(self.get_ext_fullpath(ext.name)).parent
        package.mkdir(parents=True, exist_ok=True)
        remove_brought(package)
        if SYSTEM:
            self.use_system(ext, package)
        else:
            self.bring_core(ext, package)
        super().build_extension(ext)

    def copy_extensions_to_source(self):
        """Besides the extension, what it needs beside it: for an editable installation."""
        super().copy_extensions_to_source()
        built = pathlib.Path(self.build_lib, "cctx")
        build_py = self.get_finalized_command("build_py")
        package = pathlib.Path(build_py.get_package_dir("cctx"))
        remove_brought(package)
        for name in BROUGHT:
            if (built / name).is_dir():
                shutil.copytree(built / name, package / name)
            elif (built / name).exists():
                shutil.copyfile(built / name, package / name)

    def use_system(self, ext, package):
        ext.include_dirs = []
        ext.extra_compile_args = [*FLAGS, *shlex.split(pkg_config("--cflags"))]
        ext.extra_link_args = [*LINK, *shlex.split(pkg_config("--libs"))]
        (package / "_system.py").write_text(
            '"""Where the libcctx is that this package was built with."""\n'
            f"INCLUDE = {directory('includedir')!r}\n"
            f"LIBRARY = {directory('libdir')!r}\n"
        )

    def bring_core(self, ext, package):
        objects = self.compiler.compile(
            files("core/*.c") + files("core/carrier/*.c") + files("core/backup/*.c"),
            output_dir=self.build_temp,
            include_dirs=["core/include", "core"],
            debug=self.debug,
            extra_preargs=FLAGS,
            depends=files("core/**/*.h"),
        )
        self.compiler.linker_so = without_symbolic(self.compiler.linker_so)
        self.compiler.link_shared_object(
            objects,
            str(package / LIBRARY),
            extra_preargs=[*LINK, "-Wl,-z,defs", f"-Wl,-soname,{LIBRARY}", MAP],
        )
        ext.extra_objects = [str(package / LIBRARY)]
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
    classifiers=[
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: Implementation :: CPython",
        "Typing :: Typed",
    ],
    package_dir={"": "bindings/python"},
    packages=["cctx", "cctx.contrib"],
    package_data={"cctx": ["py.typed", "*.pyi"]},
    extras_require={"structlog": ["structlog"], "otel": ["opentelemetry-api"]},
    entry_points={
        "opentelemetry_context": ["cctx_context = cctx.contrib.opentelemetry:RuntimeContext"]
    },
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
