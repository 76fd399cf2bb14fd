/* SPDX-License-Identifier: Apache-2.0 */
/* A Lua state as this program makes it: libraries, search paths, the module cctx. */
#ifndef HOST_LUA_STATE_H
#define HOST_LUA_STATE_H

#include <cctx/lua.h>

struct lua_setup {
  const char *const *paths; /* directories of modules beside the program's own */
  size_t paths_n;
  /* Called on any thread when a coroutine that has yielded may go on; NULL: nobody resumes
   * coroutines, and what would wait in them blocks. */
  void (*wake)(void *arg);
  void *wake_arg;
  const struct cctx_lua_api *api; /* filled by lua_state_open */
};

/** A new state, or NULL and a sentence in `why`. `*setup` lives as long as the state. */
lua_State *lua_state_open(struct lua_setup *setup, char *why, size_t size);

/** CCTX_EDEADLINE or CCTX_ECANCELED if the value at `index` is an error of cctx that says
 *  so, else 0. Never raises. */
int lua_state_code(lua_State *L, int index);

/** The coroutine that runs on this thread, or NULL while none does. A handler of a signal
 *  to this thread may read it. What lua_state_enter set is the outermost one. */
lua_State *lua_state_running(void);
void lua_state_enter(lua_State *L);

#endif
