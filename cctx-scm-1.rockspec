-- SPDX-License-Identifier: Apache-2.0
-- The Lua module, with the libcctx.so.0 that it links beside it: `luarocks make`.
rockspec_format = "3.0"
package = "cctx"
version = "scm-1"
source = { url = "file://." } -- for `luarocks make`, in the source tree
description = {
  summary = "One context for a request, seen alike by C, Lua and Python",
  license = "Apache-2.0",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1, < 5.6" }
build = {
  type = "command",
  build_command = [[cmake -S . -B build/rock -DCCTX_TESTS=OFF -DCCTX_STATIC=OFF \
    -DCCTX_PYTHON= -DCMAKE_C_COMPILER="$(CC)" \
    -DCMAKE_C_FLAGS="$(CFLAGS)" -DCCTX_LUA_INCLUDE="$(LUA_INCDIR)" \
    -DCMAKE_INSTALL_PREFIX="$(PREFIX)" -DCMAKE_INSTALL_LIBDIR="$(LIBDIR)" \
    -DCCTX_LUA_MODULES="$(LIBDIR)" && cmake --build build/rock --target cctx lua_cctx]],
  install_command = [[cmake --install build/rock --component runtime &&
    cmake --install build/rock --component lua]],
}
