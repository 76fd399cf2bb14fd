/* SPDX-License-Identifier: Apache-2.0 */
/* cctx for C code that runs Lua: restore the context, then call the script. */
#ifndef CCTX_LUA_H
#define CCTX_LUA_H

#include <cctx.h>
#include <lauxlib.h>
#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The functions live in the Lua module, which a host does not link: cctx_lua_open loads it as a
 * script would, and remembers its table for this translation unit. Call it first, in each of
 * them; after that the functions at the end of this header work, on any state that has
 * opened the module. None of them may be called from a thread that does not own the state.
 *
 *     cctx_lua_open(L);
 *     lua_getglobal(L, "handler");
 *     if (cctx_lua_pcall(L, ctx, 0, 0, 0) != LUA_OK) report(lua_tostring(L, -1));
 */

/** The module, for a program that has it inside (the target cctx::static_lua): put it into
 *  package.preload.cctx, and require finds it there. */
CCTX_API int luaopen_cctx(lua_State *L);

/** The table: one for all states of the process. */
struct cctx_lua_api {
  size_t size; /**< of this struct in the module that is loaded; it only grows */

  /** lua_pcall with `ctx` current, for Lua and for the C code below it. What is started
   *  inside inherits it, until its request ends. The caller's own current is back on
   *  return, also after an error, and so are the values of variables (cctx.var). LUA_ERRMEM
   *  with a message on the stack, and function and arguments gone, if the context could not
   *  be attached. */
  int (*pcall)(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh);

  /** lua_resume as Lua 5.4 has it, in every Lua, of `co` with the context it was given at
   *  its creation, by bind, or by a run inside it; else the current one. Own current is back on
   *  return, also after a yield or an error. When the body has ended, what was bound to it is gone: bind again
   *  before the thread is used for another one. */
  int (*resume)(lua_State *co, lua_State *from, int nargs, int *nresults);

  /** Give coroutine `co`, on the stack of `L` or not, the context `ctx`, also beyond the end
   *  of its request; NULL takes it away. What an earlier body of that thread left goes.
   *  What lua_newthread makes has none. May raise a Lua error for lack of memory. */
  void (*bind)(lua_State *L, lua_State *co, cctx *ctx);

  /** What Lua code running on `L` sees as current: never NULL, borrowed as cctx_current. */
  cctx *(*current)(lua_State *L);

  /** Push a Lua context that holds its own reference to `ctx`. May raise for lack of memory. */
  void (*push)(lua_State *L, cctx *ctx);

  /** The context at `index`, borrowed from the Lua object; NULL if it is none. */
  cctx *(*to)(lua_State *L, int index);

  /** Push `value` as Lua sees it: a pointer that Lua does not own is light userdata, and an
   *  integer that this Lua cannot hold is a string of its digits. May raise for lack of memory. */
  void (*push_value)(lua_State *L, const cctx_variant *value);

  /** Read nil, boolean, number, string at `index` into `out`: 0, or CCTX_EINVAL. A string is borrowed
   *  from the stack. */
  int (*to_value)(lua_State *L, int index, cctx_variant *out);

  /** lua_closethread of `co`, which is suspended or died: its closers run with the context
   *  that it has, which is gone after that. LUA_ERRMEM, `co` as it was but for a message on
   *  top, if that could not be attached; LUA_ERRRUN likewise before Lua 5.4, which cannot. */
  int (*close)(lua_State *co, lua_State *from);

  /** pcall, with the function under a guard: it looks every so many instructions (0: 1000),
   *  and once `ctx` is done, raises what cctx.check would; after `grace` ns (negative: 20
   *  ms) no pcall inside gets anywhere any more. LUA_ERRRUN with "hook in use" if `L` has
   *  somebody else's hook. */
  int (*guard)(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh, int every,
               int64_t grace);
};

/** Where the module leaves its table in the registry. */
#define CCTX_LUA_API_KEY "cctx.api.0"

/** This translation unit's copy of where the table is; NULL before cctx_lua_open. */
static const struct cctx_lua_api *cctx_lua_table;

/** Load the module into `L` as `require "cctx"` does (found by package.cpath) and return its
 *  table. Raises a Lua error if it is not found. */
static inline const struct cctx_lua_api *cctx_lua_open(lua_State *L) {
  const struct cctx_lua_api *table;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cctx");
  lua_call(L, 1, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, CCTX_LUA_API_KEY);
  table = (const struct cctx_lua_api *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (table == NULL || table->size < sizeof *table)
    luaL_error(L, "cctx: the module that was loaded is older than this program");
  /* Workers may open, each its own state, while others call: they store the same. Pairs with
   * the load in cctx_lua_loaded. */
  __atomic_store_n(&cctx_lua_table, table, __ATOMIC_RELAXED);
  return table;
}

/** The table that cctx_lua_open has found; NULL before that. */
static inline const struct cctx_lua_api *cctx_lua_loaded(void) {
  return __atomic_load_n(&cctx_lua_table, __ATOMIC_RELAXED);
}

static inline int cctx_lua_pcall(lua_State *L, cctx *ctx, int nargs, int nresults,
                                 int msgh) {
  return cctx_lua_loaded()->pcall(L, ctx, nargs, nresults, msgh);
}
static inline int cctx_lua_resume(lua_State *co, lua_State *from, int nargs,
                                  int *nresults) {
  return cctx_lua_loaded()->resume(co, from, nargs, nresults);
}
static inline void cctx_lua_bind(lua_State *L, lua_State *co, cctx *ctx) {
  cctx_lua_loaded()->bind(L, co, ctx);
}
static inline cctx *cctx_lua_current(lua_State *L) { return cctx_lua_loaded()->current(L); }
static inline void cctx_lua_push(lua_State *L, cctx *ctx) {
  cctx_lua_loaded()->push(L, ctx);
}
static inline cctx *cctx_lua_to(lua_State *L, int index) {
  return cctx_lua_loaded()->to(L, index);
}
static inline void cctx_lua_push_value(lua_State *L, const cctx_variant *value) {
  cctx_lua_loaded()->push_value(L, value);
}
static inline int cctx_lua_to_value(lua_State *L, int index, cctx_variant *out) {
  return cctx_lua_loaded()->to_value(L, index, out);
}
static inline int cctx_lua_close(lua_State *co, lua_State *from) {
  return cctx_lua_loaded()->close(co, from);
}
static inline int cctx_lua_guard(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh,
                                 int every, int64_t grace) {
  return cctx_lua_loaded()->guard(L, ctx, nargs, nresults, msgh, every, grace);
}

#ifdef __cplusplus
}
#endif
#endif
