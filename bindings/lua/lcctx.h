/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Lua module share.
 *
 * A Lua error is a longjmp: between taking something from the core and giving it to a
 * userdata no function of Lua that may raise is called. So everywhere: first the userdata,
 * empty, then the context into it. Allocating may also run finalizers, and those may
 * run any script: a pointer that was read before is read again after.
 */
#ifndef LCCTX_H
#define LCCTX_H

#include <cctx.h>
#include <cctx/interpreter.h>
#include <cctx/lua.h>

/* ---- Contexts as userdata (context.c) ---- */

#define LCCTX_CONTEXT "cctx.Context"

/** Push an empty context; whoever fills the box gives it a reference. */
cctx **lcctx_new(lua_State *L);

/** Push a context with a reference of its own to `ctx`, which must live until then. */
void lcctx_push(lua_State *L, cctx *ctx);

/** The context at `index`; NULL if there is none, or a closed one. Never raises. */
cctx *lcctx_to(lua_State *L, int index);

/** The context at argument `arg`; raises if there is none, or a closed one. */
cctx *lcctx_check(lua_State *L, int arg);

/** Whom a reader is about: `self` 1: the context at argument 1; 0: the current one. A
 *  reader's own arguments begin at `self` + 1. */
cctx *lcctx_subject(lua_State *L, int self);

/** Push the subject with a reference of its own: nothing a finalizer does can free it. */
cctx *lcctx_hold(lua_State *L, int self);

/** Put `child` into `box`, which is on top; raises if it is NULL for lack of memory. */
int lcctx_give(lua_State *L, cctx **box, cctx *child);

/** Raise "not enough memory", without needing any. */
int lcctx_no_memory(lua_State *L);

/** Push that message: needs one free slot of the stack and never raises. */
void lcctx_push_no_memory(lua_State *L);

void lcctx_context_init(lua_State *L); /**< the metatable, without methods */

/** Both ways to ask: name_of(L) as a method, name_now(L) about the current context. */
#define LCCTX_READER(name)                                                                 \
  static int name##_of(lua_State *L) { return name(L, 1); }                                \
  static int name##_now(lua_State *L) { return name(L, 0); }

/* ---- The slot of a coroutine: the truth about its context (slot.c) ---- */

struct lcctx_slot {
  cctx *ctx;        /**< owned; NULL: none, the coroutine follows its resumer */
  bool ended;       /**< it died with an error: `ctx` is for its closers alone */
  bool resumed;     /**< a managed resume that knows this slot is under way, and fills: */
  cctx_token scope; /**< its scope */
  cctx *resumer;    /**< borrowed from it: what the coroutine follows without `ctx` */
  unsigned inside;  /**< how many brackets that attach on behalf of it are under way */
  uint64_t turns;   /**< raised when a managed resume begins, and when it ends */
};

void lcctx_slot_init(lua_State *L);

/** The slot of `L`, or NULL. Never raises. `*found` (or NULL) is false if there was no
 *  room to look, so that it is not known. */
struct lcctx_slot *lcctx_slot_find(lua_State *L, bool *found);

/** The slot of `co`, made if there is none. Raises on `L` for lack of memory. */
struct lcctx_slot *lcctx_slot_need(lua_State *L, lua_State *co);

/** Give the slot `ctx` (a reference or NULL); returns what it had, to be given back. */
CCTX_MUST_USE cctx *lcctx_slot_swap(struct lcctx_slot *slot, cctx *ctx);

/** Take the slot's context away. */
void lcctx_slot_clear(struct lcctx_slot *slot);

/** What the slot says now: NULL if there is no slot, or nothing in it. */
cctx *lcctx_slot_context(const struct lcctx_slot *slot);

/** Attach `ctx` on behalf of `L`. */
int lcctx_attach(cctx *ctx, lua_State *L, cctx_token *token);

/** On whose behalf the scope in force was made. */
const void *lcctx_tag(void);

/** What Lua code on `L` sees as current. Borrowed; never raises. */
cctx *lcctx_current(lua_State *L);

/** Whether a scope on behalf of `L` is in force, which a bracket that is under way made: Python may
 *  have copied the scope of one that has ended. */
bool lcctx_managed(lua_State *L);

/* ---- Coroutines (coroutine.c) and runs (run.c) ---- */

/** lua_resume, managed; see struct cctx_lua_api. Never raises. */
int lcctx_resume(lua_State *co, lua_State *from, int nargs, int *nresults);

/** Raise unless `arg` can be called. */
void lcctx_check_callable(lua_State *L, int arg);

/* ---- Values (value.c), times and places (seconds.c), causes (cause.c) ---- */

void lcctx_push_value(lua_State *L, const cctx_variant *value);
int lcctx_to_value(lua_State *L, int index, cctx_variant *out);

/** The string at `arg`, and no number in its place. */
const char *lcctx_check_text(lua_State *L, int arg, size_t *len);

/** Seconds at `arg` as ns; raises for NaN and for what is no number; saturates. */
int64_t lcctx_check_seconds(lua_State *L, int arg);
void lcctx_push_seconds(lua_State *L, int64_t ns);

/** The line of script that called; `file` lives as long as that script runs. */
struct lcctx_place {
  const char *file;
  int line;
  lua_Debug debug;
};
void lcctx_find_place(lua_State *L, struct lcctx_place *out);

void lcctx_cause_init(lua_State *L);

/* ---- What each file adds: methods of a context, functions of the module ---- */

extern const luaL_Reg lcctx_derive_methods[], lcctx_ask_methods[], lcctx_cause_methods[],
    lcctx_value_methods[], lcctx_metadata_methods[], lcctx_run_methods[];
extern const luaL_Reg lcctx_ask_functions[], lcctx_cause_functions[],
    lcctx_value_functions[], lcctx_metadata_functions[], lcctx_run_functions[],
    lcctx_coroutine_functions[], lcctx_root_functions[], lcctx_clock_functions[],
    lcctx_testing_functions[];

/** The table of struct cctx_lua_api. */
extern const struct cctx_lua_api lcctx_api;

#endif
