/* SPDX-License-Identifier: Apache-2.0 */
/* What the module keeps once for each Lua state, and gives back when that closes.
 *
 * lua_close may run on any thread, and finalizes in an order of its own: an object that is
 * finalized after the state finds it closed.
 */
#include "lcctx.h"

#include <stdlib.h>

static const char state_key;

/* The module may have been opened only in part, for lack of memory. */
static int free_state(lua_State *L) {
  struct lcctx_state *state = lua_touserdata(L, 1);
  cctx_loop *loop = state->loop;
  state->closed = true;
  state->loop = NULL;
  free(state->listed);
  state->listed = NULL;
  state->n = state->room = 0;
  cctx_loop_free(loop);
  lcctx_slot_release(L);
  lcctx_free_late(L);
  return 0;
}

void lcctx_state_init(lua_State *L) {
  struct lcctx_state *state = lua_newuserdatauv(L, sizeof *state, 0);
  *state = (struct lcctx_state){.end = &state->ready};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_state);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
}

struct lcctx_state *lcctx_state(lua_State *L) {
  struct lcctx_state *state;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}

cctx_loop *lcctx_state_loop(lua_State *L) {
  struct lcctx_state *state;
  luaL_checkstack(L, 1, NULL);
  state = lcctx_state(L);
  if (state->closed) luaL_error(L, "this Lua state is being closed");
  if (state->loop == NULL) state->loop = cctx_loop_new();
  if (state->loop == NULL) lcctx_no_memory(L);
  return state->loop;
}

/* ---- Brackets of coroutines that have no slot ----
 *
 * A slot counts the brackets under way for its coroutine. Making one could raise, which a
 * resume must not, so that of a coroutine without a slot is noted here.
 */

bool lcctx_state_list(struct lcctx_state *state, lua_State *L) {
  if (state->n == state->room) {
    unsigned room = state->room ? state->room * 2 : 8;
    lua_State **listed = realloc(state->listed, room * sizeof *listed);
    if (listed == NULL) return false;
    state->listed = listed;
    state->room = room;
  }
  state->listed[state->n++] = L;
  return true;
}

void lcctx_state_unlist(struct lcctx_state *state, lua_State *L) {
  for (unsigned i = state->n; i > 0; i--) {
    if (state->listed[i - 1] != L) continue;
    state->n--;
    for (; i <= state->n; i++) state->listed[i - 1] = state->listed[i];
    return;
  }
}

bool lcctx_state_lists(const struct lcctx_state *state, lua_State *L) {
  for (unsigned i = state->n; i > 0; i--)
    if (state->listed[i - 1] == L) return true;
  return false;
}
