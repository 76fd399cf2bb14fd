/* SPDX-License-Identifier: Apache-2.0 */
/* A host with both interpreters: it restores a request's context, then calls a handler.
 *
 * It prints:
 *
 *     Lua: acme
 *     Python: acme
 *     C: none
 */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

#include <cctx.h>
#include <cctx/lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char lua_code[] = "local cctx = require 'cctx'\n"
                               "return function() return cctx.metadata 'tenant' end\n";
static const char python_code[] = "import cctx\n"
                                  "def handler(): return cctx.metadata('tenant')\n";

/* Begin a request of `tenant`, which ends by itself after 5 s: 0, or a negative code. */
static int begin_request(cctx_request *request, const char *tenant) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", tenant, strlen(tenant)};
  struct cctx_request_options options = {
      .timeout = 5 * CCTX_SECOND, .metadata = &pair, .metadata_n = 1};
  return cctx_request_begin(request, cctx_background(), &options);
}

/* ---- Lua ----------------------------------------------------------------------------- */

/* Protected, because what opens the module may raise. Leaves the handler. */
static int load_lua(lua_State *L) {
  luaL_openlibs(L);
  cctx_lua_open(L);
  if (luaL_loadstring(L, lua_code) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

/* The handler is on top of the stack. */
static bool call_lua(lua_State *L, cctx *ctx) {
  lua_pushvalue(L, -1);
  bool ok = cctx_lua_pcall(L, ctx, 0, 1, 0) == LUA_OK;
  printf("Lua: %s\n", luaL_tolstring(L, -1, NULL));
  lua_pop(L, 2);
  return ok;
}

static bool with_lua(cctx *ctx) {
  lua_State *L = luaL_newstate();
  bool ok = false;
  if (L == NULL) return false;
  lua_pushcfunction(L, load_lua);
  if (lua_pcall(L, 0, 1, 0) == LUA_OK)
    ok = call_lua(L, ctx);
  else
    fprintf(stderr, "host_both: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return ok;
}

/* ---- Python -------------------------------------------------------------------------- */

/* The handler; NULL with an exception. */
static PyObject *load_python(void) {
  PyObject *module = PyImport_AddModule("__main__"); /* borrowed */
  PyObject *globals = module ? PyModule_GetDict(module) : NULL;
  if (cctx_py_import() == NULL || globals == NULL) return NULL;
  PyObject *done = PyRun_String(python_code, Py_file_input, globals, globals);
  Py_XDECREF(done);
  return done ? PyObject_GetAttrString(module, "handler") : NULL;
}

static bool call_python(PyObject *handler, cctx *ctx) {
  PyObject *result = cctx_py_call(ctx, NULL, handler, NULL, NULL);
  const char *text = result ? PyUnicode_AsUTF8(result) : NULL;
  if (text) printf("Python: %s\n", text);
  Py_XDECREF(result);
  return text != NULL;
}

static bool with_python(cctx *ctx) {
  Py_InitializeEx(0);
  PyObject *handler = load_python();
  bool ok = handler && call_python(handler, ctx);
  if (!ok) PyErr_Print();
  Py_XDECREF(handler);
  return Py_FinalizeEx() == 0 && ok;
}

int main(void) {
  cctx_request request;
  if (begin_request(&request, "acme") != 0) return EXIT_FAILURE;
  bool ok = with_lua(request.ctx) && with_python(request.ctx);
  cctx_request_end(&request); /* stop what still works for it */
  const char *tenant = cctx_metadata(cctx_current(), "tenant", NULL);
  printf("C: %s\n", tenant ? tenant : "none");
  return ok && cctx_alive() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
