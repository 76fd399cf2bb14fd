/* SPDX-License-Identifier: Apache-2.0 */
/* Lua and Python in one process, for the tests of what each sees of the others.
 *
 * The Lua module `bridge` and the Python module `seen` are the examples; each asks
 * cctx_current() as any C extension would. Between tests the main thread has a Python
 * thread state and does not hold the GIL, as a host that serves.
 */
#ifndef CROSS_H
#define CROSS_H

#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

#include <cctx.h>
#include <cctx/lua.h>
#include <lualib.h>

#include "check.h"

static lua_State *L;
static PyObject *space; /* the globals of Python's side */
static uint64_t stale_before;

/* ---- Both interpreters -------------------------------------------------------------- */

static inline void start_python(void) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  if (PyStatus_Exception(Py_InitializeFromConfig(&config))) abort();
  PyConfig_Clear(&config);
  if (cctx_py_import() == NULL) PyErr_Print(), abort();
  PyEval_SaveThread();
}

static inline void add_python(const char *code) {
  PyGILState_STATE gil = PyGILState_Ensure();
  PyObject *done = PyRun_String(code, Py_file_input, space, space);
  if (!CHECK(done != NULL)) PyErr_Print();
  Py_XDECREF(done);
  PyGILState_Release(gil);
}

static inline void start(void) {
  PyGILState_STATE gil;
  if (!Py_IsInitialized()) start_python();
  gil = PyGILState_Ensure();
  space = PyDict_New();
  PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins());
  PyDict_SetItemString(PyImport_GetModuleDict(), "space", Py_None);
  PyGILState_Release(gil);
  add_python("import asyncio, cctx, contextvars, gc, seen, sys, threading, types\n"
             "space = sys.modules['space'] = types.ModuleType('space')\n"
             "space.__dict__.update(globals())\n"
             "def tenant(): return cctx.metadata('tenant')\n");
  L = luaL_newstate();
  luaL_openlibs(L);
  cctx_lua_open(L);
  if (luaL_dostring(L, "cctx = require 'cctx'; bridge = require 'bridge'\n"
                       "function tenant() return cctx.metadata 'tenant' end\n"))
    printf("%s\n", lua_tostring(L, -1));
  stale_before = cctx_stale_detaches();
}

/* What every test ends with: nothing is current, and each bracket matched. */
static inline void stop(void) {
  PyGILState_STATE gil;
  CHECK(cctx_current() == cctx_background());
  CHECK(cctx_lua_current(L) == cctx_background());
  CHECK_EQ(cctx_stale_detaches(), stale_before);
  lua_close(L);
  add_python("assert cctx.current() == cctx.background()\n"
             "space.__dict__.clear(); del sys.modules['space']; space = None\n");
  gil = PyGILState_Ensure();
  PyDict_Clear(space);
  Py_CLEAR(space);
  PyRun_SimpleString("import cctx, gc; gc.collect(); cctx.alive()");
  PyGILState_Release(gil);
}

static char answer[4096];

static inline const char *remember(const char *text) {
  snprintf(answer, sizeof answer, "%s", text ? text : "(null)");
  return answer;
}

/* What the Lua chunk `code` returns under `ctx`, as text. */
static inline const char *in_lua(cctx *ctx, const char *code) {
  if (luaL_loadstring(L, code) == LUA_OK) cctx_lua_pcall(L, ctx, 0, 1, 0);
  remember(luaL_tolstring(L, -1, NULL));
  lua_pop(L, 2);
  return answer;
}

/* What the Python expression `code` is under `ctx`, as text. Holds the GIL already. */
static inline const char *eval_attached(cctx *ctx, const char *code) {
  PyObject *eval = PyDict_GetItemString(PyEval_GetBuiltins(), "eval");
  PyObject *args = Py_BuildValue("(sO)", code, space);
  PyObject *result = cctx_py_call(ctx, NULL, eval, args, NULL), *text = NULL;
  if (result)
    text = PyObject_Str(result);
  else
    PyErr_Print();
  remember(text ? PyUnicode_AsUTF8(text) : "an exception");
  Py_XDECREF(text);
  Py_XDECREF(result);
  Py_XDECREF(args);
  return answer;
}

static inline const char *in_python(cctx *ctx, const char *code) {
  PyGILState_STATE gil = PyGILState_Ensure();
  eval_attached(ctx, code);
  PyGILState_Release(gil);
  return answer;
}

/* A context of tenant `name`, to be given back. */
static inline cctx *tenant(const char *name) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", name, strlen(name)};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), &pair, 1, NULL), 0);
  return ctx;
}

static inline const char *c_tenant(void) {
  const char *name = cctx_metadata(cctx_current(), "tenant", NULL);
  return name ? name : "none";
}

#endif
