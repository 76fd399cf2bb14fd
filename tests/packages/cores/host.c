/* SPDX-License-Identifier: Apache-2.0 */
/* A host: with tenant=acme current, runs Lua in two states, Python in two interpreters.
 *
 * usage: host LUA PYTHON; "-" for none. It says at the end how many cores it sees.
 */
#include <Python.h>

#include <cctx.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static void run_lua(const char *code) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, code)) printf("Lua: %s\n", lua_tostring(L, -1));
  fflush(stdout);
  lua_close(L);
}

static void run_python(const char *code) {
  PyThreadState *first;
  Py_InitializeEx(0);
  PyRun_SimpleString(code);
  first = PyThreadState_Get();
  PyThreadState *second = Py_NewInterpreter();
  PyRun_SimpleString(code);
  Py_EndInterpreter(second);
  PyThreadState_Swap(first);
  Py_FinalizeEx();
}

int main(int argc, char **argv) {
  struct cctx_metadata_pair tenant = {CCTX_REQUEST, "tenant", "acme", 4};
  char why[1024];
  cctx *ctx;
  cctx_token token;
  if (argc != 3) return 2;
  if (cctx_with_metadata(&ctx, cctx_background(), &tenant, 1, NULL) != 0) return 3;
  if (cctx_attach(ctx, &token) != 0) return 4;
  for (int i = 0; i < 2 && strcmp(argv[1], "-") != 0; i++) run_lua(argv[1]);
  if (strcmp(argv[2], "-") != 0) run_python(argv[2]);
  cctx_detach(&token);
  cctx_unref(ctx);
  if (cctx_core_check(CCTX_VERSION_STRING, why, sizeof why) == 0) strcpy(why, "one core");
  printf("host: %s\n", why);
  return cctx_alive() != 0;
}
