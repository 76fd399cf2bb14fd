/* SPDX-License-Identifier: Apache-2.0 */
/* The module as `require "cctx"` finds it: a look at the core, then the module itself.
 *
 * The loader does not load a module beside a core that lacks what it calls, and says so in
 * words of its own. So this part links no core. It asks the one that the process has, or
 * gets now, whether it will do, and only then loads cctx/_cctx.so, which lies beside it.
 */
#define _GNU_SOURCE 1
#include <cctx.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file_of(void *library) {
  struct link_map *map;
  return dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : "libcctx.so.0";
}

/* Of one that is too old to be asked more. */
static const char *version_of(void *core) {
  const char *(*version)(void), *said;
  void *symbol = dlsym(core, "cctx_version");
  if (symbol == NULL) return "unknown";
  memcpy(&version, &symbol, sizeof version);
  said = version();
  return said ? said : "unknown";
}

/* The core of this process, which is new enough, and the only one. NULL: none is found from
 * here, as where a tool has put itself before dlopen; the module may find it by itself. */
static void *check_core(lua_State *L) {
  int (*check)(const char *needed, char *why, size_t size);
  void *core = dlopen("libcctx.so.0", RTLD_NOW | RTLD_LOCAL), *symbol;
  char why[1024];
  if (core == NULL) return NULL;
  symbol = dlsym(core, "cctx_core_check");
  if (symbol == NULL)
    luaL_error(
        L,
        "cctx: %s, the core of cctx that this process has loaded, is version %s, and "
        "%s or later is needed: upgrade it, or have the newer one loaded first",
        file_of(core), version_of(core), CCTX_VERSION_STRING);
  memcpy(&check, &symbol, sizeof check);
  if (check(CCTX_VERSION_STRING, why, sizeof why) != CCTX_OK)
    luaL_error(L, "cctx: %s", why);
  return core;
}

/* Beside the file that this code is in. */
static void find_module(lua_State *L, char path[PATH_MAX]) {
  static const char here;
  Dl_info info;
  const char *slash = dladdr(&here, &info) ? strrchr(info.dli_fname, '/') : NULL;
  int n;
  if (slash == NULL) luaL_error(L, "cctx: it is not known which file this is");
  n = snprintf(path, PATH_MAX, "%.*s/cctx/_cctx.so", (int)(slash - info.dli_fname),
               info.dli_fname);
  if (n >= PATH_MAX) luaL_error(L, "cctx: the path of the module is too long: %s", path);
}

/* The core is of the right version, but was built from other sources. */
static int refuse(lua_State *L, const char *module, void *core, const char *told) {
  static const char mark[] = "undefined symbol: ";
  const char *name = strstr(told, mark);
  char function[64];
  if (core == NULL || name == NULL)
    return luaL_error(L, "cctx: the module cannot be loaded: %s", told);
  name += strlen(mark);
  snprintf(function, sizeof function, "%.*s", (int)strcspn(name, ", \n"), name);
  return luaL_error(L,
                    "cctx: %s, the core of cctx that this process has loaded, lacks %s, "
                    "which %s calls: install the two from one build",
                    file_of(core), function, module);
}

CCTX_API int luaopen_cctx(lua_State *L);
CCTX_API int luaopen_cctx(lua_State *L) {
  void *core = check_core(L), *module, *symbol;
  lua_CFunction open;
  char path[PATH_MAX];
  find_module(L, path);
  module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) return refuse(L, path, core, dlerror());
  symbol = dlsym(module, "luaopen_cctx");
  if (symbol == NULL) return luaL_error(L, "cctx: %s is not the module", path);
  memcpy(&open, &symbol, sizeof open);
  return open(L);
}
