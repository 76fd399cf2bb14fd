/* SPDX-License-Identifier: Apache-2.0 */
/* The slots: which context each coroutine has.
 *
 * The truth is one table in the registry, from coroutine to slot, weak in its keys: a slot
 * goes with its coroutine, and an address that is used again finds nothing. What the
 * thread has as current is only derived from it, by a managed resume, which attaches what
 * the slot holds with the coroutine as tag. Where such a scope is in force the thread's
 * answer is also Lua's; in a coroutine that somebody else resumed it is the slot's.
 *
 * A slot holds a context that was inherited, which answers until its request ends, or one
 * that was handed over. What runs and attaches make current is a stack of frames in the
 * slot: each keeps what the slot held before, so that leaving one needs no memory. Nobody
 * but this module sees a slot, and it stays where it is while its coroutine is alive.
 */
#include "lcctx.h"

#include <stdlib.h>

static const char table_key, metatable_key;

/* Stack needed by a look: the table, the coroutine or its slot. */
#define ROOM 2

static void detach_brackets(struct lcctx_slot *slot) {
  for (unsigned i = 0; i < slot->n; i++) {
    if (!slot->frames[i].bracket) continue;
    cctx_detach(&slot->frames[i].token); /* and with it those inside */
    return;
  }
}

/* A finalizer may have brought the coroutine back to life: what it had is not known. */
static void release(struct lcctx_slot *slot) {
  cctx *old;
  detach_brackets(slot);
  lcctx_slot_cut(slot, 0);
  if (slot->frames != slot->few) free(slot->frames);
  slot->frames = slot->few;
  slot->room = sizeof slot->few / sizeof *slot->few;
  old = slot->held.ctx;
  slot->held = (struct lcctx_hold){cctx_background(), true};
  cctx_unref(old);
}

static int free_slot(lua_State *L) {
  release(lua_touserdata(L, 1));
  return 0;
}

void lcctx_slot_release(lua_State *L) {
  bool made = lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key) == LUA_TTABLE;
  struct lcctx_slot *slot = made ? lcctx_slot_find(L, NULL) : NULL;
  lua_pop(L, 1);
  if (slot) release(slot);
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

struct lcctx_slot *lcctx_slot_push(lua_State *L, lua_State *co) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_touserdata(L, -1);
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
  slot = lua_newuserdatauv(L, sizeof *slot, 1);
  *slot = (struct lcctx_slot){.frames = slot->few,
                              .room = sizeof slot->few / sizeof *slot->few};
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return slot;
}

/* ---- What it holds ---- */

/* Each frame puts back what was there before it, from the innermost on. */
void lcctx_slot_cut(struct lcctx_slot *slot, unsigned n) {
  while (slot->n > n) {
    struct lcctx_frame *frame = &slot->frames[--slot->n];
    cctx *inner = slot->held.ctx;
    if (frame->bracket) continue;
    slot->held = frame->outer;
    cctx_unref(inner);
  }
}

/* The brackets of the main coroutine outside of the body are somebody else's. */
void lcctx_slot_reset(struct lcctx_slot *slot) {
  unsigned n = 0;
  while (n < slot->n && slot->frames[n].bracket) n++;
  lcctx_slot_cut(slot, n);
}

/* What it has outside of its runs; a bracket, of the main coroutine, is none. */
static struct lcctx_hold *base_of(struct lcctx_slot *slot) {
  for (unsigned i = 0; i < slot->n; i++)
    if (!slot->frames[i].bracket) return &slot->frames[i].outer;
  return &slot->held;
}

void lcctx_slot_revive(struct lcctx_slot *slot) {
  cctx *old;
  if (!slot->died) return;
  lcctx_slot_reset(slot);
  old = slot->held.ctx;
  slot->held = (struct lcctx_hold){NULL, false};
  slot->died = false;
  cctx_unref(old);
}

void lcctx_slot_set(struct lcctx_slot *slot, struct lcctx_hold hold) {
  struct lcctx_hold *base;
  cctx *old;
  lcctx_slot_revive(slot);
  base = base_of(slot);
  old = base->ctx;
  *base = hold;
  cctx_unref(old);
}

struct lcctx_hold lcctx_slot_hold(const struct lcctx_slot *slot) {
  return slot && !slot->died ? slot->held : (struct lcctx_hold){NULL, false};
}

void lcctx_slot_unmanage(struct lcctx_slot *slot) {
  struct lcctx_slot *opened = slot->opened;
  slot->turns++;
  slot->resumed = false;
  slot->resumer = (struct lcctx_hold){NULL, false};
  slot->inside = 0;
  slot->opened = NULL;
  if (opened != NULL) lcctx_slot_unmanage(opened); /* its scope went with this one's */
}

/* ---- What works for a coroutine ---- */

static const void *tag_in_force(void) {
  struct cctx_origin origin;
  cctx_current_origin(&origin);
  return origin.tag;
}

static bool is_inside_bracket(lua_State *L, const struct lcctx_slot *slot) {
  if (slot && (slot->inside > 0 || (slot->n > 0 && slot->frames[slot->n - 1].bracket)))
    return true;
  return lua_checkstack(L, 1) && lcctx_state_lists(lcctx_state(L), L);
}

static bool is_attached(int status) {
  return status == CCTX_CURRENT_ATTACHED || status == CCTX_CURRENT_ENDED;
}

/* A scope without a tag is one that C, or Python that it called, attached inside the bracket
 * before it called L back: newer than what L has. */
bool lcctx_managed(lua_State *L, const struct lcctx_slot *slot) {
  const void *tag = tag_in_force();
  if (tag != L && tag != NULL) return false;
  if (tag == NULL && !is_attached(cctx_current_status())) return false;
  return is_inside_bracket(L, slot);
}

/* A host's call on behalf of a coroutine that has a slot stands on the thread alone, until a
 * run inside it writes the slot. Where the thread's answer cannot be known, nor can Lua's. */
static bool is_unknown(const struct lcctx_slot *slot) {
  bool is_called = slot && slot->inside > (slot->resumed ? 1U : 0U);
  return is_called && slot->n == slot->fence &&
         cctx_current_status() == CCTX_CURRENT_UNKNOWN;
}

static bool is_over(struct lcctx_hold hold) {
  return hold.ctx == cctx_background() && !hold.handed_over;
}

static struct lcctx_hold hold_of_thread(void) {
  struct cctx_origin origin;
  cctx *ctx;
  cctx_current_origin(&origin);
  ctx = cctx_current();
  if (ctx == cctx_background())
    return (struct lcctx_hold){ctx, cctx_current_status() != CCTX_CURRENT_ENDED};
  return (struct lcctx_hold){ctx, origin.lifetime == CCTX_HANDED_OVER};
}

struct lcctx_hold lcctx_hold_of(lua_State *L) {
  bool found = true;
  const struct lcctx_slot *slot = L ? lcctx_slot_find(L, &found) : NULL;
  struct lcctx_hold own = lcctx_slot_hold(slot), now;
  if (!found || is_unknown(slot)) return (struct lcctx_hold){cctx_background(), true};
  if (own.ctx && !lcctx_managed(L, slot)) return own;
  now = hold_of_thread();
  return is_over(own) && now.ctx == cctx_background() ? own : now;
}

cctx *lcctx_current(lua_State *L) {
  bool found;
  const struct lcctx_slot *slot = lcctx_slot_find(L, &found);
  struct lcctx_hold own = lcctx_slot_hold(slot);
  if (!found || is_unknown(slot)) return cctx_background();
  if (own.ctx == NULL || lcctx_managed(L, slot)) return cctx_current();
  return !own.handed_over && cctx_has_ended(own.ctx) ? cctx_background() : own.ctx;
}

/* Where nothing is current there is nothing to inherit: like a generator it follows. */
void lcctx_inherit(lua_State *L, lua_State *co) {
  struct lcctx_hold hold = lcctx_hold_of(L);
  struct lcctx_slot *slot = lcctx_slot_find(co, NULL);
  bool nothing = hold.ctx == cctx_background() && hold.handed_over;
  if (slot != NULL) lcctx_slot_reset(slot); /* a pool may use a thread again */
  if (!nothing) slot = lcctx_slot_need(L, co);
  if (slot != NULL) {
    hold = lcctx_hold_of(L); /* making the slot may have run a finalizer */
    if (nothing) hold.ctx = NULL;
    lcctx_slot_set(
        slot, (struct lcctx_hold){hold.ctx ? cctx_ref(hold.ctx) : NULL, hold.handed_over});
  }
  lcctx_locals_inherit(L, co);
}

/* ---- cctx.current_status() ---- */

int lcctx_current_status(lua_State *L) {
  bool found;
  const struct lcctx_slot *slot = lcctx_slot_find(L, &found);
  struct lcctx_hold own = lcctx_slot_hold(slot);
  int status = cctx_current_status();
  if (!found || is_unknown(slot))
    status = CCTX_CURRENT_UNKNOWN;
  else if (is_over(own) && lcctx_current(L) == cctx_background())
    status = CCTX_CURRENT_ENDED;
  else if (own.ctx && !lcctx_managed(L, slot))
    status = !own.handed_over && cctx_has_ended(own.ctx) ? CCTX_CURRENT_ENDED
                                                         : CCTX_CURRENT_ATTACHED;
  if (status == CCTX_CURRENT_ATTACHED && lcctx_current(L) == cctx_background())
    status = CCTX_CURRENT_NONE; /* a managed resume by somebody who works for nobody */
  return status;
}

static int current_status(lua_State *L) {
  static const char *const words[] = {"none", "attached", "unknown", "ended"};
  lua_pushstring(L, words[lcctx_current_status(L)]);
  return 1;
}

const luaL_Reg lcctx_slot_functions[] = {{"current_status", current_status}, {NULL, NULL}};
