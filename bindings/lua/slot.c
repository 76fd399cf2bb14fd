/* SPDX-License-Identifier: Apache-2.0 */
/* The slots: which context each coroutine has.
 *
 * The truth is one table in the registry, from coroutine to slot, weak in its keys: a slot
 * goes with its coroutine, and an address that is used again finds nothing. What the
 * thread has as current is only derived from it, by a managed resume, which attaches the
 * slot's context with the coroutine as tag. Where such a scope is in force the thread's
 * answer is also Lua's; in a coroutine that somebody else resumed it is the slot's.
 *
 * Once a slot is there, writing it needs no memory, so a run can always put it back. Nobody
 * but this module sees a slot, and it stays where it is while its coroutine is alive.
 */
#include "lcctx.h"

static const char table_key, metatable_key;

/* Stack needed by a look: the table, the coroutine or its slot. */
#define ROOM 2

/* A finalizer may have brought the coroutine back to life: what it had is not known. */
static int free_slot(lua_State *L) {
  struct lcctx_slot *slot = lua_touserdata(L, 1);
  cctx *old = slot->ctx;
  slot->ctx = cctx_background();
  cctx_unref(old);
  return 0;
}

void lcctx_slot_init(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_slot);
  lua_setfield(L, -2, "__gc");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

struct lcctx_slot *lcctx_slot_find(lua_State *L, bool *found) {
  struct lcctx_slot *slot;
  bool room = lua_checkstack(L, ROOM) != 0;
  if (found) *found = room;
  if (!room) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushthread(L);
  lua_rawget(L, -2);
  slot = lua_touserdata(L, -1);
  lua_pop(L, 2);
  return slot;
}

static void push_thread(lua_State *L, lua_State *co) {
  if (!lua_checkstack(co, 1)) lcctx_no_memory(L);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
}

struct lcctx_slot *lcctx_slot_need(lua_State *L, lua_State *co) {
  bool found;
  struct lcctx_slot *slot = lcctx_slot_find(co, &found);
  if (!found) lcctx_no_memory(L); /* a second slot would orphan the first */
  if (slot != NULL) return slot;
  luaL_checkstack(L, 5, "no room for a coroutine's context");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  push_thread(L, co);
  slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = (struct lcctx_slot){.ctx = NULL};
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return slot;
}

cctx *lcctx_slot_swap(struct lcctx_slot *slot, cctx *ctx) {
  cctx *old = slot->ctx;
  if (slot->ended) { /* what it had died with the last body */
    cctx_unref(old);
    old = NULL;
  }
  slot->ctx = ctx;
  slot->ended = false;
  return old;
}

void lcctx_slot_clear(struct lcctx_slot *slot) { cctx_unref(lcctx_slot_swap(slot, NULL)); }

cctx *lcctx_slot_context(const struct lcctx_slot *slot) {
  return slot && !slot->ended ? slot->ctx : NULL;
}

int lcctx_attach(cctx *ctx, lua_State *L, cctx_token *token) {
  struct cctx_origin origin = {.tag = L, .lifetime = CCTX_HANDED_OVER};
  return cctx_attach_as(ctx, &origin, token);
}

const void *lcctx_tag(void) {
  struct cctx_origin origin;
  cctx_current_origin(&origin);
  return origin.tag;
}

static bool is_managed(lua_State *L, const struct lcctx_slot *slot) {
  return lcctx_tag() == L && (slot == NULL || slot->inside > 0);
}

bool lcctx_managed(lua_State *L) {
  bool found;
  const struct lcctx_slot *slot = lcctx_slot_find(L, &found);
  return found && is_managed(L, slot);
}

cctx *lcctx_current(lua_State *L) {
  bool found;
  const struct lcctx_slot *slot = lcctx_slot_find(L, &found);
  cctx *ctx;
  if (!found) return cctx_background();
  ctx = is_managed(L, slot) ? NULL : lcctx_slot_context(slot);
  return ctx ? ctx : cctx_current();
}
