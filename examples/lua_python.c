/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua module `python`: starts a CPython inside a Lua process.
 *
 *     local python = require "python"     -- from here on the process has a Python
 *     local bridge = require "bridge"     -- which this module calls
 *     bridge.python("steps", "run", function() ... end)
 *
 * Python lives as long as the Lua state that started it, and is finished on the thread that
 * closes this state, which must be the one that started it. Between calls nobody
 * holds the GIL. Where the process has a Python already, that one is used and left alone.
 */
#define _GNU_SOURCE 1
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <cctx.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>

/* Lua loads modules, and what they are linked to, each for itself. Python's own extensions
 * link no libpython: they find its functions only where all can see them. */
static const char *show_libpython(void) {
  Dl_info info;
  if (!dladdr((const void *)&PyExc_Exception, &info)) return "where is libpython?";
  return dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD) ? NULL : dlerror();
}

static PyStatus initialize(void) {
  PyConfig config;
  PyStatus status;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0; /* Lua's program has its own */
  status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return status;
}

/* The main thread state, while this state must finish Python. */
static int finish(lua_State *L) {
  PyThreadState **state = lua_touserdata(L, 1);
  PyThreadState *mine = *state;
  *state = NULL;
  if (mine == NULL) return 0;
  PyEval_RestoreThread(mine);
  if (Py_FinalizeEx() < 0) fputs("python: not all could be written\n", stderr);
  return 0;
}

static void start(lua_State *L, PyThreadState **state) {
  const char *why = show_libpython();
  PyStatus status;
  if (why) luaL_error(L, "Python cannot be started: %s", why);
  status = initialize();
  if (PyStatus_Exception(status))
    luaL_error(L, "Python cannot be started: %s", status.err_msg);
  *state = PyEval_SaveThread();
}

CCTX_API int luaopen_python(lua_State *L);
CCTX_API int luaopen_python(lua_State *L) {
  PyThreadState **state = lua_newuserdatauv(L, sizeof *state, 0);
  *state = NULL;
  lua_createtable(L, 0, 1); /* first what finishes Python, then Python */
  lua_pushcfunction(L, finish);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!Py_IsInitialized()) start(L, state);
  lua_createtable(L, 1, 1);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1); /* kept as long as the module is */
  lua_pushstring(L, Py_GetVersion());
  lua_setfield(L, -2, "version");
  return 1;
}
