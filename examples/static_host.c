/* SPDX-License-Identifier: Apache-2.0 */
/* A host with all of cctx inside: the archive of the core, and both bindings.
 *
 * Nothing is loaded for `require "cctx"`, and for `import cctx` only the package's Python
 * files, from a directory that PYTHONPATH names. Everything shares the program's core, also
 * modules that were linked with libcctx.so.0. It prints:
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

static const char lua_code[] = "print('Lua: ' .. require 'cctx'.metadata 'tenant')";
static const char python_code[] = "import cctx\n"
                                  "print('Python:', cctx.metadata('tenant'), flush=True)\n";

/* ---- Lua ----------------------------------------------------------------------------- */

/* require finds the module here before it looks for files. Protected: it may raise. */
static int set_up_lua(lua_State *L) {
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cctx);
  lua_setfield(L, -2, "cctx");
  cctx_lua_open(L);
  return 0;
}

static bool run_lua(cctx *ctx, const char *code) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return false;
  lua_pushcfunction(L, set_up_lua);
  bool ok = lua_pcall(L, 0, 0, 0) == LUA_OK && luaL_loadstring(L, code) == LUA_OK &&
            cctx_lua_pcall(L, ctx, 0, 0, 0) == LUA_OK;
  if (!ok) fprintf(stderr, "static_host: %s\n", lua_tostring(L, -1));
  fflush(stdout);
  lua_close(L);
  return ok;
}

/* ---- Python -------------------------------------------------------------------------- */

static bool call_python(cctx *ctx, const char *code) {
  PyObject *module = PyImport_AddModule("__main__"); /* borrowed */
  PyObject *globals = module ? PyModule_GetDict(module) : NULL;
  PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
  PyObject *exec = PyMapping_GetItemString(builtins, "exec");
  PyObject *args = globals ? Py_BuildValue("(sO)", code, globals) : NULL;
  PyObject *result = NULL;
  if (cctx_py_import() && exec && args) result = cctx_py_call(ctx, NULL, exec, args, NULL);
  if (result == NULL) PyErr_Print();
  Py_XDECREF(result);
  Py_XDECREF(args);
  Py_XDECREF(exec);
  return result != NULL;
}

static bool run_python(cctx *ctx, const char *code) {
  if (PyImport_AppendInittab("cctx._cctx", PyInit__cctx) != 0) return false;
  Py_InitializeEx(0);
  bool ok = call_python(ctx, code);
  return Py_FinalizeEx() == 0 && ok;
}

/* usage: static_host [LUA [PYTHON]] */
int main(int argc, char **argv) {
  struct cctx_metadata_pair tenant = {CCTX_REQUEST, "tenant", "acme", strlen("acme")};
  struct cctx_request_options options = {.metadata = &tenant, .metadata_n = 1};
  cctx_request request;
  if (cctx_request_begin(&request, cctx_background(), &options) != 0) return EXIT_FAILURE;
  bool ok = run_lua(request.ctx, argc > 1 ? argv[1] : lua_code) &&
            run_python(request.ctx, argc > 2 ? argv[2] : python_code);
  cctx_request_end(&request);
  const char *left = cctx_metadata(cctx_current(), "tenant", NULL);
  printf("C: %s\n", left ? left : "none");
  return ok && cctx_alive() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
