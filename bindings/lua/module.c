/* SPDX-License-Identifier: Apache-2.0 */
/* The module: what `require "cctx"` returns, and what it leaves in the registry. */
#include "lcctx.h"

static const luaL_Reg *const methods[] = {
    lcctx_derive_methods,  lcctx_ask_methods,      lcctx_cause_methods,
    lcctx_value_methods,   lcctx_metadata_methods, lcctx_token_methods,
    lcctx_observe_methods, lcctx_wait_methods,     lcctx_pollable_methods,
    lcctx_export_methods,  lcctx_response_methods, lcctx_session_methods,
};
static const luaL_Reg *const functions[] = {
    lcctx_root_functions,      lcctx_ask_functions,      lcctx_cause_functions,
    lcctx_value_functions,     lcctx_metadata_functions, lcctx_run_functions,
    lcctx_coroutine_functions, lcctx_slot_functions,     lcctx_clock_functions,
    lcctx_install_functions,   lcctx_local_functions,    lcctx_observe_functions,
    lcctx_wait_functions,      lcctx_export_functions,   lcctx_response_functions,
    lcctx_policy_functions,    lcctx_carrier_functions,  lcctx_session_functions,
    lcctx_backup_functions,    lcctx_manager_functions,
};

static void push_functions(lua_State *L, const luaL_Reg *const *lists, size_t n) {
  lua_newtable(L);
  for (size_t i = 0; i < n; i++) luaL_setfuncs(L, lists[i], 0);
}

/* "5.1" of 501 */
static void push_version(lua_State *L, int version) {
  lua_pushfstring(L, "%d.%d", version / 100, version % 100);
}

/* With another one no more than to raise would be safe. */
static void check_lua(lua_State *L) {
  int version = lcctx_lua_version();
  if (version == LUA_VERSION_NUM) return;
  push_version(L, LUA_VERSION_NUM);
  push_version(L, version);
  luaL_error(L,
             "this module cctx is for Lua %s, but what loads it is Lua %s: build cctx with "
             "-DCCTX_LUA=%s",
             lua_tostring(L, -2), lua_tostring(L, -1), lua_tostring(L, -1));
}

/* Once per state: a second table of slots would be a second truth. The key comes last, so
 * that after an error nothing is half there. */
static void init_state(lua_State *L) {
  const void *there;
  lua_getfield(L, LUA_REGISTRYINDEX, CCTX_LUA_API_KEY);
  there = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (there == &lcctx_api) return;
  if (there != NULL)
    luaL_error(L, "another copy of the module cctx is loaded in this Lua state already");
  lcctx_call_init(L);
  lcctx_state_init(L);
  lcctx_slot_init(L);
  lcctx_context_init(L);
  lcctx_cause_init(L);
  lcctx_run_init(L);
  lcctx_coroutine_init(L);
  lcctx_token_init(L);
  lcctx_local_init(L);
  lcctx_observe_init(L);
  lcctx_guard_init(L);
  lcctx_request_init(L);
  lcctx_policy_init(L);
  lcctx_install_init(L);
  lcctx_session_init(L);
  lcctx_backup_init(L);
  lcctx_manager_init(L);
  luaL_getmetatable(L, LCCTX_CONTEXT);
  push_functions(L, methods, sizeof methods / sizeof *methods);
  lcctx_set_callers(L, lcctx_run_methods);
  lua_setfield(L, -2, "__index");
  lua_pushlightuserdata(L, (void *)&lcctx_api);
  lua_setfield(L, LUA_REGISTRYINDEX, CCTX_LUA_API_KEY);
  lua_pop(L, 1);
}

/* The one that this module has been bound to: a program may have it inside. */
static void check_core(lua_State *L) {
  char why[1024];
  if (cctx_core_check(CCTX_VERSION_STRING, why, sizeof why) != CCTX_OK)
    luaL_error(L, "cctx: %s", why);
}

CCTX_API int luaopen_cctx(lua_State *L) {
  check_lua(L);
  check_core(L);
  init_state(L);
  push_functions(L, functions, sizeof functions / sizeof *functions);
  lcctx_set_callers(L, lcctx_guard_functions);
  lcctx_set_callers(L, lcctx_request_functions);
  lcctx_set_callers(L, lcctx_backup_callers);
  if (!LCCTX_CLOSES) {
    lua_pushnil(L);
    lua_setfield(L, -2, "close");
  }
  lua_newtable(L);
  luaL_setfuncs(L, lcctx_testing_functions, 0);
  lua_setfield(L, -2, "testing");
  lua_pushstring(L, cctx_version());
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
