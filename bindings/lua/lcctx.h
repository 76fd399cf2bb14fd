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

#include "compat.h"

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

/** The same, and a context is derived from it before anything else is done: if strict mode has to
 *  say something of that, it says where the script does so. */
cctx *lcctx_parent(lua_State *L, int arg);

/** The subject, for who pushes strings of it: held where a finalizer may run before one is
 *  copied. It is on top then. */
cctx *lcctx_kept_subject(lua_State *L, int self);

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

/** Give back what finalizers have made, at lua_close. */
void lcctx_free_late(lua_State *L);

void lcctx_context_init(lua_State *L); /**< the metatable, without methods */

/** Both ways to ask: name_of(L) as a method, name_now(L) about the current context. */
#define LCCTX_READER(name)                                                                 \
  static int name##_of(lua_State *L) { return name(L, 1); }                                \
  static int name##_now(lua_State *L) { return name(L, 0); }

/* ---- The slot of a coroutine: the truth about its context (slot.c) ---- */

/** What is current, and for how long. Background that is not handed over stands for a
 *  request that had ended already when it was inherited. */
struct lcctx_hold {
  cctx *ctx;        /**< NULL: none */
  bool handed_over; /**< else it was inherited: it answers until its request ends */
};

/** What one run, attach or the like has made current, until it is left. */
struct lcctx_frame {
  lua_KContext id;
  struct lcctx_hold outer; /**< owned: what the slot held before */
  uint64_t turns;          /**< the slot's when it began */
  bool bracket;            /**< it is a scope alone: the slot is as it was */
  bool attached;           /**< it has a scope: */
  cctx_token token;
};

struct lcctx_slot {
  struct lcctx_hold held;    /**< owned; none: the coroutine follows its resumer */
  bool died;                 /**< by an error: what it holds is for its closers alone */
  bool has_locals;           /**< its user value is their table */
  bool resumed;              /**< a managed resume is under way, and fills: */
  cctx_token scope;          /**< its scope */
  struct lcctx_hold resumer; /**< borrowed from it: what the coroutine follows */
  unsigned inside;           /**< how many brackets on behalf of it are under way */
  uint64_t turns;            /**< raised when a managed resume begins, and when it ends */
  struct lcctx_slot *opened; /**< of a coroutine that a bracket of this one works for */
  struct lcctx_frame *frames, few[2]; /**< innermost last */
  unsigned n, room, fence; /**< those below `fence` belong to the caller's caller */
  uint64_t serial;         /**< the last frame's id */
};

void lcctx_slot_init(lua_State *L);

/** The slot of `L`, or NULL. Never raises. `*found` (or NULL) is false if there was no
 *  room to look, so that it is not known. */
struct lcctx_slot *lcctx_slot_find(lua_State *L, bool *found);

/** Push the slot of `co` on `L`, or nil. Never raises; needs 2 free slots of each stack. */
struct lcctx_slot *lcctx_slot_push(lua_State *L, lua_State *co);

/** The slot of `co`, made if there is none. Raises on `L` for lack of memory. */
struct lcctx_slot *lcctx_slot_need(lua_State *L, lua_State *co);

/** Let the slot hold `hold` (with a reference, or nothing) instead of all it had. */
void lcctx_slot_set(struct lcctx_slot *slot, struct lcctx_hold hold);

/** What belonged to a body that died is gone when another begins. */
void lcctx_slot_revive(struct lcctx_slot *slot);

/** Drop the frames from number `n` on; their scopes have ended, or end with `L`'s. */
void lcctx_slot_cut(struct lcctx_slot *slot, unsigned n);

/** Let go of all that the slot of `L` has: its state closes. */
void lcctx_slot_release(lua_State *L);

/** The same for all that the coroutine's body has begun. */
void lcctx_slot_reset(struct lcctx_slot *slot);

/** What the slot says: nothing if there is none, or nothing in it. Borrowed. */
struct lcctx_hold lcctx_slot_hold(const struct lcctx_slot *slot);

/** Note that the managed resume or bracket of the slot is over. */
void lcctx_slot_unmanage(struct lcctx_slot *slot);

/** What works for `L`, and for how long. Borrowed; never raises. */
struct lcctx_hold lcctx_hold_of(lua_State *L);

/** What Lua code on `L` sees as current. Borrowed; never raises. */
cctx *lcctx_current(lua_State *L);

/** Whether a scope on behalf of `L` is in force, which a bracket that is under way made:
 *  Python may have copied the scope of one that has ended. */
bool lcctx_managed(lua_State *L, const struct lcctx_slot *slot);

/** One of enum cctx_current_status: why lcctx_current answers what it does. Never raises. */
int lcctx_current_status(lua_State *L);

/** Let `co` inherit what is current on `L`, and its locals. May raise. */
void lcctx_inherit(lua_State *L, lua_State *co);

/* ---- Scopes on behalf of coroutines (scope.c) ---- */

/** A call or a resume under way on behalf of `L`. */
struct lcctx_bracket {
  lua_State *L;
  bool listed; /**< there was no slot when it began */
  cctx_token token;
};

/** Begin a bracket that makes `hold` current for `L`. CCTX_ENOMEM: nothing has changed.
 *  Never raises. */
int lcctx_enter(struct lcctx_bracket *bracket, lua_State *L, struct lcctx_hold hold);

/** End it, and whatever was begun inside and not left. Returns the slot of `L`, if any. */
struct lcctx_slot *lcctx_leave(struct lcctx_bracket *bracket);

/** Make the context at `index` current on `L` as `lifetime` says, until lcctx_end(L, id).
 *  Returns the id, never 0. Raises for lack of memory, or if there is no context. */
lua_KContext lcctx_begin(lua_State *L, int index, enum cctx_lifetime lifetime);

/** The same for the scope of an idle `co` while L runs somebody else's resume or close of
 *  it, until lcctx_end_for; `L` itself goes on seeing what it does. May raise. */
lua_KContext lcctx_begin_for(lua_State *L, lua_State *co);
int lcctx_end_for(lua_State *L, lua_State *co, lua_KContext id);

/** The coroutine of `slot` has yielded: leave its frames' scopes, the innermost first. */
void lcctx_suspend(struct lcctx_slot *slot);

/** Leave it, and what was begun inside. CCTX_ESTALE: it had been left, or is not of `L`;
 *  CCTX_ENOMEM: left, but C code does not see what was there before. Never raises. */
int lcctx_end(lua_State *L, lua_KContext id);

/* ---- Coroutines (coroutine.c), runs (run.c), locals (local.c) ---- */

/** lua_resume, managed; see struct cctx_lua_api. Never raises. */
int lcctx_resume(lua_State *co, lua_State *from, int nargs, int *nresults);

/** lua_closethread likewise; before Lua 5.4 there is none, and it is refused. */
int lcctx_close(lua_State *co, lua_State *from);

/** Whether `co` can be resumed or closed now. */
bool lcctx_is_idle(lua_State *co);

/** The resume or close of `co` is over: when its body has ended, so has what it had. */
void lcctx_settle(lua_State *co, struct lcctx_slot *slot, bool refused);

/** Whether its body waits on its stack to be called: Lua may refuse a resume, as where too many
 *  calls are under way, and then it has not even begun. */
bool lcctx_is_unstarted(lua_State *co);

/** cctx.resume and cctx.close, and what a wrapped coroutine is called by. */
int lcctx_coroutine_resume(lua_State *L);
int lcctx_coroutine_close(lua_State *L);
int lcctx_coroutine_call(lua_State *L);

/** Raise unless `arg` can be called. */
void lcctx_check_callable(lua_State *L, int arg);

/** Push the locals of `L` as they are now, or nil: needs 3 free slots; and put them back
 *  from `index`. Neither raises. */
void lcctx_locals_push(lua_State *L);
void lcctx_locals_restore(lua_State *L, int index);

/** Let `co` begin with the locals of `L`. May raise. */
void lcctx_locals_inherit(lua_State *L, lua_State *co);

/** Forget the locals of `co`, whose body has ended. Never raises. */
void lcctx_locals_clear(lua_State *co);

/* ---- Calls that may yield (call.c) ---- */

/** A kind of call. Where scripts call it, it is wrapped, and returns by one of the three ways
 *  below. */
struct lcctx_call {
  lua_KFunction finish; /**< what follows: stack as before, results or error above `keep` */
  int keep;             /**< how many values below the function it needs, at most 4 */
  bool may_die;         /**< nothing has to be finished where an error ends the coroutine */
};

/** Call what is above the values to keep, with the rest as arguments, in protected mode; then
 *  `finish` with `id`, whose results these are. Needs 7 free slots of the stack. */
int lcctx_pcall(lua_State *L, const struct lcctx_call *call, lua_KContext id);

/** Call what is at 1 with the rest. */
int lcctx_tail_call(lua_State *L);

/** The `n` values on top are the results. */
int lcctx_results(lua_State *L, int n);

/** Wrap the C function on top; put wrapped ones into the table on top. May raise. */
void lcctx_push_caller(lua_State *L);
void lcctx_set_callers(lua_State *L, const luaL_Reg *list);

/** Make the function on top one that may be the body of a coroutine. May raise. */
void lcctx_push_body(lua_State *L);

void lcctx_call_init(lua_State *L);
void lcctx_call_prepare(lua_State *L, const struct lcctx_call *call);

/* ---- One Lua state (state.c) ---- */

struct lcctx_state {
  bool closed;                       /**< lua_close has begun to finalize */
  bool compiles;                     /**< the compiler was on before the guards */
  cctx_loop *loop;                   /**< made at first use */
  struct lcctx_handle *ready, **end; /**< done, and not told yet */
  lua_State **listed;                /**< those with a bracket and no slot when it began */
  unsigned n, room;
};

void lcctx_state_init(lua_State *L);

/** Of the universe of `L`. Never raises; needs a free slot of the stack. */
struct lcctx_state *lcctx_state(lua_State *L);

/** List `L` as having a bracket: false for lack of memory; and take it off again. */
bool lcctx_state_list(struct lcctx_state *state, lua_State *L);
void lcctx_state_unlist(struct lcctx_state *state, lua_State *L);
bool lcctx_state_lists(const struct lcctx_state *state, lua_State *L);

/** Its loop, made now if need be. Raises if it cannot be. */
cctx_loop *lcctx_state_loop(lua_State *L);

/* ---- Being told (observe.c), guards (guard.c) ---- */

/** Call back what is due; returns how many. Raises the first error of a callback. */
lua_Integer lcctx_poll(lua_State *L);

/** Arm `co` if a guard is on around the running code; returns whether. Never raises. */
bool lcctx_guard_arm(lua_State *co);
void lcctx_guard_disarm(lua_State *co);

/** Push a function: (every, grace in ns, f, ...), with f guarded. Never raises; needs 2 free
 *  slots. */
void lcctx_guard_push_call(lua_State *L);

/* ---- Values (value.c), times and places (seconds.c), causes (cause.c) ---- */

void lcctx_push_value(lua_State *L, const cctx_variant *value);
int lcctx_to_value(lua_State *L, int index, cctx_variant *out);

/** Check the name and the value of an entry at these indices; raises if they cannot be. */
void lcctx_check_entry(lua_State *L, int name, int value, cctx_variant *out);

/** The key of that name, made if there is none. Raises if there is no room. */
cctx_key *lcctx_intern(lua_State *L, const char *name);

/** The string at `arg`, and no number in its place. */
const char *lcctx_check_text(lua_State *L, int arg, size_t *len);

/** Seconds at `arg` as ns; raises for NaN and for what is no number; saturates. */
int64_t lcctx_check_seconds(lua_State *L, int arg);

/** Absolute, of seconds from now at `arg`; CCTX_NEVER if there are none. */
int64_t lcctx_opt_until(lua_State *L, int arg);

/** Seconds in field `name` of the table at `index`: false if there is none. */
bool lcctx_field_seconds(lua_State *L, int index, const char *name, int64_t *out);
void lcctx_push_seconds(lua_State *L, int64_t ns);

/** The line of script that called; `file` lives as long as that script runs. */
struct lcctx_place {
  const char *file;
  int line;
  lua_Debug debug;
};
void lcctx_find_place(lua_State *L, struct lcctx_place *out);

/** For the next report of a late child, on this thread: where the script is. */
void lcctx_note_place(lua_State *L);

/** Whether the function of `frame`, filled in with "S", is one of the lines of call.c. */
bool lcctx_is_own_line(const lua_Debug *frame);

void lcctx_cause_init(lua_State *L);

/** Raise the error that says why `ctx` is done; it must live until then. */
int lcctx_raise(lua_State *L, const cctx *ctx);

/** ctx:with_metadata(...), called as from Lua. */
int lcctx_with_metadata(lua_State *L);

/** Does something with pairs, as cctx_with_metadata; may leave `out` as it is. */
typedef int lcctx_taker(cctx **out, cctx *ctx, const struct cctx_metadata_pair *pairs,
                        size_t n, size_t *bad);

/** Give the context at 1 the pairs that the arguments from 2 on say, and push what comes of it: a
 *  context, or an empty one. Raises for bad pairs and lack of memory; else the status. */
int lcctx_take_pairs(lua_State *L, lcctx_taker *take);

/** The format whose word is at `index`; raises for others. */
enum cctx_format lcctx_check_format(lua_State *L, int index);

/** The policy at `arg`, or that of a format, in `storage`; by default HTTP's. It lives as long as
 *  the argument. */
const struct cctx_policy *lcctx_opt_policy(lua_State *L, int arg,
                                           struct cctx_policy *storage);

/* ---- What each file adds: methods of a context, functions of the module ---- */

extern const luaL_Reg lcctx_derive_methods[], lcctx_ask_methods[], lcctx_cause_methods[],
    lcctx_value_methods[], lcctx_metadata_methods[], lcctx_run_methods[],
    lcctx_token_methods[], lcctx_observe_methods[], lcctx_wait_methods[],
    lcctx_pollable_methods[], lcctx_export_methods[], lcctx_response_methods[],
    lcctx_session_methods[];
extern const luaL_Reg lcctx_ask_functions[], lcctx_cause_functions[],
    lcctx_value_functions[], lcctx_metadata_functions[], lcctx_run_functions[],
    lcctx_coroutine_functions[], lcctx_slot_functions[], lcctx_root_functions[],
    lcctx_clock_functions[], lcctx_install_functions[], lcctx_local_functions[],
    lcctx_observe_functions[], lcctx_wait_functions[], lcctx_guard_functions[],
    lcctx_export_functions[], lcctx_request_functions[], lcctx_testing_functions[],
    lcctx_response_functions[], lcctx_policy_functions[], lcctx_carrier_functions[],
    lcctx_session_functions[], lcctx_backup_functions[], lcctx_backup_callers[],
    lcctx_manager_functions[];

/** Metatables of the objects of those files. */
void lcctx_run_init(lua_State *L);
void lcctx_coroutine_init(lua_State *L);
void lcctx_token_init(lua_State *L);
void lcctx_local_init(lua_State *L);
void lcctx_observe_init(lua_State *L);
void lcctx_guard_init(lua_State *L);
void lcctx_request_init(lua_State *L);
void lcctx_policy_init(lua_State *L);
void lcctx_install_init(lua_State *L);
void lcctx_session_init(lua_State *L);
void lcctx_backup_init(lua_State *L);
void lcctx_manager_init(lua_State *L);

/** How many of this process's tokens were closed that were not current. */
uint64_t lcctx_stale_tokens(void);

/** Give back what was exported and is not wanted any more. */
void lcctx_export_expire(void);

/** The table of struct cctx_lua_api. */
extern const struct cctx_lua_api lcctx_api;

#endif
