/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctx.fetch of Lua scripts. */
#ifndef HOST_FETCH_LUA_H
#define HOST_FETCH_LUA_H

#include <stdbool.h>

#include "lua_state.h"

/** Let `require "cctx.fetch"` find it. `*setup` lives as long as the state. May raise for
 * lack of memory. */
void fetch_lua_offer(lua_State *L, const struct lua_setup *setup);

/** Whether the last yield on this thread since the last call of this was one of `co` in a
 * fetch: it need not be resumed before the next wake. */
bool fetch_lua_waits(const lua_State *co);

#endif
