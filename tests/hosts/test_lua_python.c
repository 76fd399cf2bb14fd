/* SPDX-License-Identifier: Apache-2.0 */
/* Lua coroutines on a thread whose Python copies Contexts, and scopes with them. */
#include "cross.h"

static PyObject *copied;

static int copy_context(lua_State *co) {
  copied = PyContext_CopyCurrent();
  (void)co;
  return 0;
}

static int ask_c(lua_State *co) {
  lua_pushstring(co, c_tenant());
  return 1;
}

/* A coroutine without a slot: its managed resume leaves no trace but the scope, which a
 * copied Context keeps. In that Context somebody else resumes it, and it yields in a run. */
TEST(a_copied_scope_does_not_make_a_coroutine_without_context_managed) {
  PyGILState_STATE gil;
  lua_State *co;
  cctx *one, *two;
  cctx_token token;
  int n;
  start();
  one = tenant("one");
  two = tenant("two");
  gil = PyGILState_Ensure();
  lua_register(L, "copy_context", copy_context);
  lua_register(L, "in_c", ask_c);
  cctx_lua_push(L, two);
  lua_setglobal(L, "two");
  co = lua_newthread(L);
  CHECK_EQ(luaL_loadstring(co, "copy_context() coroutine.yield(tenant())\n"
                               "two:run(coroutine.yield, 'in the run')\n"
                               "return tenant()"),
           LUA_OK);
  CHECK_EQ(cctx_attach(one, &token), CCTX_OK);
  CHECK_EQ(cctx_lua_resume(co, L, 0, &n), LUA_YIELD);
  CHECK_STR(lua_tostring(co, -1), "one");
  lua_pop(co, n);
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  CHECK_EQ(PyContext_Enter(copied), 0);
  CHECK_STR(c_tenant(), "one"); /* the copy was made inside */
  CHECK_EQ(lua_resume(co, L, 0, &n), LUA_YIELD);
  CHECK_STR(c_tenant(), "one"); /* and not "two", which nobody left here */
  lua_pop(co, n);
  CHECK_EQ(lua_resume(co, L, 0, &n), LUA_OK);
  CHECK_STR(lua_tostring(co, -1), "one");
  CHECK_STR(c_tenant(), "one");
  CHECK_EQ(PyContext_Exit(copied), 0);
  CHECK_STR(c_tenant(), "none");
  Py_CLEAR(copied);
  PyGILState_Release(gil);
  lua_settop(L, 0);
  cctx_unref(one);
  cctx_unref(two);
  stop();
}

TEST(a_run_in_a_coroutine_without_context_shows_c_its_context) {
  PyGILState_STATE gil;
  lua_State *co;
  cctx *one, *two;
  cctx_token token;
  int n;
  start();
  one = tenant("one");
  two = tenant("two");
  gil = PyGILState_Ensure();
  lua_register(L, "in_c", ask_c);
  cctx_lua_push(L, two);
  lua_setglobal(L, "two");
  co = lua_newthread(L);
  CHECK_EQ(luaL_loadstring(co, "coroutine.yield(two:run(in_c) .. in_c())\n"
                               "return two:run(in_c) .. in_c()"),
           LUA_OK);
  CHECK_EQ(cctx_attach(one, &token), CCTX_OK);
  CHECK_EQ(cctx_lua_resume(co, L, 0, &n), LUA_YIELD);
  CHECK_STR(lua_tostring(co, -1), "twoone");
  lua_pop(co, n);
  CHECK_EQ(cctx_lua_resume(co, L, 0, &n), LUA_OK);
  CHECK_STR(lua_tostring(co, -1), "twoone");
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  PyGILState_Release(gil);
  lua_settop(L, 0);
  cctx_unref(one);
  cctx_unref(two);
  stop();
}

/* The scope of a run that yields is in Python's variable here, and nobody else would end it. */
TEST(a_run_that_yields_where_python_is_held_leaves_no_context_behind) {
  static const char code[] = "local root, alive = cctx.background(), cctx.alive()\n"
                             "for i = 1, 100 do\n"
                             "  local next = cctx.wrap(function()\n"
                             "    root:with_value('a', i):run(coroutine.yield)\n"
                             "    local _ <close> = root:with_value('b', i):attach()\n"
                             "    coroutine.yield()\n"
                             "  end)\n"
                             "  next() next() next()\n"
                             "end\n"
                             "collectgarbage() collectgarbage()\n"
                             "return cctx.alive() - alive";
  PyGILState_STATE gil;
  start();
  gil = PyGILState_Ensure();
  CHECK_EQ(luaL_dostring(L, "cctx = require 'cctx'"), LUA_OK);
  CHECK_EQ(luaL_dostring(L, code), LUA_OK);
  CHECK_EQ(lua_tointeger(L, -1), 0);
  PyGILState_Release(gil);
  lua_settop(L, 0);
  stop();
}
