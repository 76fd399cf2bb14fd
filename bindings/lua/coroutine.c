/* SPDX-License-Identifier: Apache-2.0 */
/* Coroutines that keep their context across every switch.
 *
 * A managed resume makes the coroutine's context the thread's, and takes it away again when
 * lua_resume comes back, be it by a return, a yield or an error. Between the two nothing
 * raises. A coroutine without a context follows whoever resumes it.
 *
 * When the body has ended, so has what was given to it: a host that uses the thread for
 * another body must not find the last request's context in it.
 */
#include "lcctx.h"

/* Registry: why a resume or a close is refused. The message is there before: for lack of memory
 * nothing may be raised on a coroutine that does not run. */
static const char *const refusals[] = {
    "cannot resume non-suspended coroutine",
    "cannot resume dead coroutine",
    "this Lua cannot close a coroutine: let the collector have it",
};
enum { NOT_SUSPENDED, DEAD, CANNOT_CLOSE, REFUSALS };

void lcctx_coroutine_init(lua_State *L) {
  for (int i = 0; i < REFUSALS; i++) {
    lua_pushstring(L, refusals[i]);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &refusals[i]);
  }
}

static bool is_suspended(lua_State *co) {
  lua_Debug frame;
  int status = lua_status(co);
  return status == LUA_YIELD || (status == LUA_OK && !lua_getstack(co, 0, &frame));
}

static bool has_died(lua_State *co) {
  int status = lua_status(co);
  return status != LUA_OK && status != LUA_YIELD;
}

/* Refusals as those of lua_resume: arguments gone, a message in their place. */
static int refuse(lua_State *co, int nargs, int *nresults) {
  lua_settop(co, lua_gettop(co) - nargs);
  lcctx_push_no_memory(co);
  *nresults = 1;
  return LUA_ERRMEM;
}

static int refuse_for(lua_State *co, int nargs, int *nresults, int why) {
  lua_settop(co, lua_gettop(co) - nargs);
  lua_rawgetp(co, LUA_REGISTRYINDEX, &refusals[why]);
  *nresults = 1;
  return LUA_ERRRUN;
}

bool lcctx_is_idle(lua_State *co) { return is_suspended(co) || has_died(co); }

bool lcctx_is_unstarted(lua_State *co) {
  lua_Debug frame;
  return lua_status(co) == LUA_OK && !lua_getstack(co, 0, &frame) && lua_isfunction(co, 1);
}

void lcctx_settle(lua_State *co, struct lcctx_slot *slot, bool refused) {
  lua_Debug frame;
  lcctx_slot_unmanage(slot);
  if (refused) return;
  if (has_died(co)) {
    slot->died = true; /* what it holds is kept for its closers */
  } else if (lua_status(co) == LUA_OK && !lua_getstack(co, 0, &frame)) {
    lcctx_slot_reset(slot);
    lcctx_slot_set(slot, (struct lcctx_hold){NULL, false});
    lcctx_locals_clear(co);
  }
}

static void note_begin(struct lcctx_slot *slot, const struct lcctx_bracket *bracket,
                       struct lcctx_hold resumer) {
  slot->scope = bracket->token;
  slot->resumer = resumer;
  slot->resumed = true;
  slot->turns++;
}

/* Leave the bracket of `co`, by the scope that it has by now. */
static void leave(struct lcctx_bracket *bracket, const struct lcctx_slot *slot,
                  bool refused) {
  struct lcctx_slot *now = lcctx_slot_find(bracket->L, NULL);
  if (slot && slot->resumed) bracket->token = slot->scope;
  if (now && lua_status(bracket->L) == LUA_YIELD) lcctx_suspend(now);
  now = lcctx_leave(bracket);
  if (now) lcctx_settle(bracket->L, now, refused);
}

int lcctx_resume(lua_State *co, lua_State *from, int nargs, int *nresults) {
  struct lcctx_bracket bracket;
  struct lcctx_hold resumer, hold;
  struct lcctx_slot *slot;
  bool found, armed;
  int status;
  if (!is_suspended(co))
    return refuse_for(co, nargs, nresults, has_died(co) ? DEAD : NOT_SUSPENDED);
  if (lua_status(co) == LUA_OK && lua_gettop(co) <= nargs) /* without a body */
    return refuse_for(co, nargs, nresults, DEAD);
  slot = lcctx_slot_find(co, &found);
  if (!found) return refuse(co, nargs, nresults);
  if (slot && lua_status(co) == LUA_OK) lcctx_slot_reset(slot); /* of an earlier body */
  resumer = lcctx_hold_of(from);
  hold = lcctx_slot_hold(slot);
  cctx_ref(resumer.ctx);
  if (lcctx_enter(&bracket, co, hold.ctx ? hold : resumer) != CCTX_OK) {
    cctx_unref(resumer.ctx);
    return refuse(co, nargs, nresults);
  }
  if (slot != NULL) note_begin(slot, &bracket, resumer);
  armed = lcctx_guard_arm(co);
  status = lua_resume(co, from, nargs, nresults);
  if (armed) lcctx_guard_disarm(co);
  leave(&bracket, slot, status > LUA_YIELD && lua_status(co) <= LUA_YIELD);
  cctx_unref(resumer.ctx);
  return status;
}

/* Under what it had, which is gone after that. */
int lcctx_close(lua_State *co, lua_State *from) {
  struct lcctx_slot *slot = lcctx_slot_find(co, NULL);
  struct lcctx_hold closer = lcctx_hold_of(from), hold;
  struct lcctx_bracket bracket;
  int status;
  if (!LCCTX_CLOSES) {
    lua_rawgetp(co, LUA_REGISTRYINDEX, &refusals[CANNOT_CLOSE]);
    return LUA_ERRRUN;
  }
  if (slot) slot->died = false;
  hold = lcctx_slot_hold(slot);
  cctx_ref(closer.ctx);
  if (lcctx_enter(&bracket, co, hold.ctx ? hold : closer) != CCTX_OK) {
    if (slot) slot->died = has_died(co);
    cctx_unref(closer.ctx);
    lcctx_push_no_memory(co);
    return LUA_ERRMEM;
  }
  if (slot != NULL) note_begin(slot, &bracket, closer);
  status = lcctx_closethread(co, from);
  leave(&bracket, slot, false);
  cctx_unref(closer.ctx);
  return status;
}

/* ---- The functions of the module ---- */

static lua_State *check_coroutine(lua_State *L, int arg) {
  lua_State *co = lua_tothread(L, arg);
  luaL_argexpected(L, co != NULL, arg, "coroutine");
  return co;
}

/* Resume with the `nargs` values on top of `L`: how many results, or -1 and the error. */
static int resume_with(lua_State *L, lua_State *co, int nargs) {
  int status, nresults;
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  status = lcctx_resume(co, L, nargs, &nresults);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, nresults);
  return nresults;
}

int lcctx_coroutine_resume(lua_State *L) {
  lua_State *co = check_coroutine(L, 1);
  int nresults = resume_with(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, nresults >= 0);
  if (nresults < 0) nresults = 1;
  lua_insert(L, -nresults - 1);
  return nresults + 1;
}

/* It inherits here, once: who resumes it later, and under what, makes no difference. */
static int create(lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  lcctx_inherit(L, co);
  lua_pushvalue(L, 1);
  lcctx_push_body(L);
  lua_xmove(L, co, 1);
  return 1;
}

int lcctx_coroutine_close(lua_State *L) {
  lua_State *co = check_coroutine(L, 1);
  if (!lcctx_is_idle(co))
    return luaL_error(L, "cannot close a %s coroutine", co == L ? "running" : "normal");
  if (!lua_checkstack(co, 1)) return lcctx_no_memory(L); /* for the message */
  if (lcctx_close(co, L) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

int lcctx_coroutine_call(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int nresults = resume_with(L, co, lua_gettop(L));
  int status;
  if (nresults >= 0) return nresults;
  status = lua_status(co);
  if (LCCTX_CLOSES &&
      has_died(co)) { /* nobody else can close it; that gives its error again */
    lcctx_close(co, L);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap(lua_State *L) {
  create(L);
  lua_pushcclosure(L, lcctx_coroutine_call, 1);
  return 1;
}

const luaL_Reg lcctx_coroutine_functions[] = {
    {"create", create},
    {"wrap", wrap},
    {"resume", lcctx_coroutine_resume},
    {"close", lcctx_coroutine_close},
    {NULL, NULL},
};
