/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers: C calls handler.lua or handler.py, which calls C. */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

#include "handlers.h"

#include <cctx/lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

/* ---- Below the scripts: nobody passes it a context ------------------------------------ */

/* The table `everything` takes for ever. */
static int wait_for_rows(const char *table) {
  bool slow = strcmp(table, "everything") == 0;
  return cctx_wait(cctx_current(), slow ? CCTX_NEVER : 0);
}

static void query(const char *table, char *rows, size_t size) {
  int status = wait_for_rows(table);
  const char *tenant = cctx_metadata(cctx_current(), "tenant", NULL);
  snprintf(rows, size, "%s of %s", status == 0 ? table : cctx_status_word(status),
           tenant ? tenant : "nobody");
}

static int lua_query(lua_State *L) {
  char rows[80];
  query(luaL_checkstring(L, 1), rows, sizeof rows);
  lua_pushstring(L, rows);
  return 1;
}

static PyObject *py_query(PyObject *self, PyObject *table) {
  const char *name = PyUnicode_AsUTF8(table);
  char rows[80];
  (void)self;
  if (name == NULL) return NULL;
  CCTX_PY_BEGIN_ALLOW_THREADS; /* it may wait */
  query(name, rows, sizeof rows);
  CCTX_PY_END_ALLOW_THREADS;
  return PyUnicode_FromString(rows);
}

/* ---- Lua ------------------------------------------------------------------------------ */

/* Protected, as all that takes memory: (table, answer) under the handler. */
static int call_handler(lua_State *L) {
  const char *table = lua_touserdata(L, 2);
  char *answer = lua_touserdata(L, 3);
  lua_settop(L, 1);
  lua_pushstring(L, table);
  lua_call(L, 1, 1);
  snprintf(answer, ANSWER_MAX, "%s", luaL_checkstring(L, 1));
  return 0;
}

/* The worker's attach is in force here. */
static bool report(lua_State *L) {
  const char *tenant = cctx_metadata(cctx_current(), "tenant", NULL);
  fprintf(stderr, "server: %s: %s\n", tenant ? tenant : "-", lua_tostring(L, -1));
  lua_pop(L, 1);
  return false;
}

/* The handler is all that is on the stack. */
bool lua_ask(lua_State *L, cctx *ctx, const char *table, char answer[ANSWER_MAX]) {
  lua_pushcfunction(L, call_handler);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, (void *)table);
  lua_pushlightuserdata(L, answer);
  return cctx_lua_pcall(L, ctx, 3, 0, 0) == LUA_OK || report(L);
}

/* Protected; leaves the handler. */
static int load_handler(lua_State *L) {
  luaL_openlibs(L);
  cctx_lua_open(L);
  lua_register(L, "query", lua_query);
  if (luaL_loadfile(L, "handler.lua") != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

lua_State *lua_start(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return NULL;
  lua_pushcfunction(L, load_handler);
  if (lua_pcall(L, 0, 1, 0) == LUA_OK) return L;
  report(L);
  lua_close(L);
  return NULL;
}

/* ---- Python --------------------------------------------------------------------------- */

static PyMethodDef query_method = {"query", py_query, METH_O, NULL};
static PyObject *handler, *query_function;
static PyThreadState *main_state;

bool python_ask(cctx *ctx, const char *table, char answer[ANSWER_MAX]) {
  PyGILState_STATE gil = PyGILState_Ensure();
  PyObject *args = Py_BuildValue("(Os)", query_function, table);
  PyObject *result = args ? cctx_py_call(ctx, NULL, handler, args, NULL) : NULL;
  const char *text = result ? PyUnicode_AsUTF8(result) : NULL;
  if (text) snprintf(answer, ANSWER_MAX, "%s", text);
  if (!text) PyErr_Print();
  Py_XDECREF(result);
  Py_XDECREF(args);
  PyGILState_Release(gil);
  return text != NULL;
}

bool python_start(void) {
  Py_InitializeEx(0);
  PyObject *module = cctx_py_import() ? PyImport_ImportModule("handler") : NULL;
  if (module) handler = PyObject_GetAttrString(module, "handler");
  if (handler) query_function = PyCFunction_New(&query_method, NULL);
  if (!query_function) PyErr_Print();
  Py_XDECREF(module);
  main_state = PyEval_SaveThread();
  return query_function != NULL;
}

void python_stop(void) {
  PyEval_RestoreThread(main_state);
  Py_CLEAR(handler);
  Py_CLEAR(query_function);
  Py_FinalizeEx();
}
