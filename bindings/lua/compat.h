/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface of Lua 5.4, as the module uses it, on Lua 5.1 to 5.5 and on LuaJIT.
 *
 * No other file asks for a version. What an older Lua lacks is made of what it has; what it
 * cannot do is a constant here, which the files ask by its name. LuaJIT has the binary
 * interface of 5.1, so a module for one runs in the other: only at run time they differ.
 *
 * All functions of Lua are weak: a module that another Lua than its own loads is loaded, and
 * says so (module.c), instead of being refused for a symbol that nobody knows.
 */
#ifndef LCCTX_COMPAT_H
#define LCCTX_COMPAT_H

#include <luaconf.h>
#ifndef LCCTX_HOST /* a program that links its Lua has it */
#undef LUA_API
#define LUA_API extern __attribute__((weak))
#endif
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/** The name of the lines of Lua in call.c. */
#define LCCTX_LINES "=cctx"

/* ---- Which Lua this is ----
 *
 * Functions that tell them apart, whatever the headers declare. Their addresses alone count.
 */
extern const char lcctx_mark_51 __asm__("lua_setfenv") __attribute__((weak));
extern const char lcctx_mark_52 __asm__("lua_getctx") __attribute__((weak));
extern const char lcctx_mark_54 __asm__("lua_newuserdatauv") __attribute__((weak));
extern const char lcctx_mark_55 __asm__("lua_numbertocstring") __attribute__((weak));

/** LUA_VERSION_NUM of the Lua that runs: it need not be that of the headers. */
static inline int lcctx_lua_version(void) {
  if (&lcctx_mark_51 != NULL) return 501;
  if (&lcctx_mark_52 != NULL) return 502;
  if (&lcctx_mark_54 == NULL) return 503;
  return &lcctx_mark_55 == NULL ? 504 : 505;
}

extern int luaJIT_setmode(lua_State *L, int index, int mode) __attribute__((weak));

static inline bool lcctx_is_jit(void) {
  return LUA_VERSION_NUM == 501 && luaJIT_setmode != NULL;
}

/* ---- What it cannot do ---- */

/** A C function goes on after a yield of what it called: lua_pcallk. */
#define LCCTX_CONTINUES (LUA_VERSION_NUM >= 503)

/** lua_pushlstring may run finalizers before it copies the string. */
#define LCCTX_COLLECTS_FIRST (LUA_VERSION_NUM < 503)

/** The Lua function pcall lets what it called yield. */
#define LCCTX_PCALL_YIELDS (LUA_VERSION_NUM >= 502 || lcctx_is_jit())

/** A C function may be the body of a coroutine. */
#define LCCTX_C_BODIES LCCTX_PCALL_YIELDS

/** A coroutine can be closed: coroutine.close, and variables that are. */
#define LCCTX_CLOSES (LUA_VERSION_NUM >= 504)

/** One hook is that of all coroutines; and code that was compiled calls none. */
#define LCCTX_ONE_HOOK lcctx_is_jit()

/** Whether a finalizer may be what runs. From 5.4 on Lua says that it cannot count now; before,
 *  that it does not collect (LUA_GCISRUNNING). 5.1 does not know the question: no. */
static inline bool lcctx_may_finalize(lua_State *L) {
#if LUA_VERSION_NUM >= 504
  return lua_gc(L, LUA_GCCOUNT) < 0;
#else
  return lua_gc(L, 9, 0) == 0;
#endif
}

#define COMPAT_EXACT (1LL << 53) /* a double tells all integers up to that apart */

/** Push an integer. Where numbers are doubles, one that is none of them is a string of its
 *  digits: another number in its place would be somebody else's. */
static inline void lcctx_push_integer(lua_State *L, int64_t value) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, value);
#else
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)value);
  if (value >= -COMPAT_EXACT && value <= COMPAT_EXACT)
    lua_pushnumber(L, (lua_Number)value);
  else
    lua_pushstring(L, digits);
#endif
}

#ifndef LCCTX_HOST
/** Whether the function on top is Lua's own coroutine.`name`. A host may have left the library
 *  out. In LuaJIT such a function is of C, and has none; and 5.1 opens the library together with
 *  the globals, so that a state of its own is asked. */
#if LUA_VERSION_NUM == 501
struct compat_function {
  const char *name;
  lua_CFunction found;
};

static inline int compat_find_function(lua_State *L) {
  struct compat_function *it = lua_touserdata(L, 1);
  lua_pushcfunction(L, luaopen_base);
  lua_call(L, 0, 0);
  lua_getglobal(L, "coroutine");
  lua_getfield(L, -1, it->name);
  it->found = lua_tocfunction(L, -1);
  return 0;
}
#endif
static inline bool lcctx_is_own_function(lua_State *L, const char *name) {
  lua_CFunction function = lua_tocfunction(L, -1);
  bool own = false;
#if LUA_VERSION_NUM == 501
  struct compat_function it = {name, NULL};
  lua_State *other = NULL;
  if (lcctx_is_jit()) return function == NULL && lua_iscfunction(L, -1);
  if (luaopen_base != NULL && function != NULL) other = luaL_newstate();
  if (other == NULL) return false;
  own = lua_cpcall(other, compat_find_function, &it) == 0 && it.found == function;
  lua_close(other);
#else
  if (luaopen_coroutine == NULL || function == NULL) return false;
  lua_pushcfunction(L, luaopen_coroutine);
  lua_call(L, 0, 1);
  lua_getfield(L, -1, name);
  own = lua_tocfunction(L, -1) == function;
  lua_pop(L, 2);
#endif
  return own;
}
#endif

/* ---- LuaJIT's compiler ---- */

/** Let everything be interpreted. Whether the compiler was on. May raise. */
static inline bool lcctx_jit_stop(lua_State *L) {
  enum { ENGINE_OFF = 0, ENGINE_FLUSH = 0x200 };
  bool on = false;
  if (!lcctx_is_jit()) return false;
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "jit"); /* it is on from the time that this is opened */
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "status");
    lua_call(L, 0, 1);
    on = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  if (!on) return false;
  luaJIT_setmode(L, 0, ENGINE_OFF);
  luaJIT_setmode(L, 0, ENGINE_FLUSH);
  return true;
}

static inline void lcctx_jit_start(lua_State *L) {
  enum { ENGINE_ON = 0x100 };
  luaJIT_setmode(L, 0, ENGINE_ON);
}

/* ---- Lua 5.4 ---- */

#if LUA_VERSION_NUM == 504
extern int lua_closethread(lua_State *co, lua_State *from) __attribute__((weak));
#endif

/** lua_closethread, which 5.4.6 has; the headers may be another release's. */
static inline int lcctx_closethread(lua_State *co, lua_State *from) {
#if LUA_VERSION_NUM == 504
  return lua_closethread != NULL ? lua_closethread(co, from) : lua_resetthread(co);
#elif LUA_VERSION_NUM > 504
  return lua_closethread(co, from);
#else
  (void)from;
  return lua_status(co);
#endif
}

/* ---- Before Lua 5.4 ---- */

#if LUA_VERSION_NUM < 504

#define lua_toclose(L, index) ((void)(L), (void)(index)) /* a finalizer does it later */
#define lua_warning(L, text, more) ((void)(text))        /* nobody hears it */
#define luaL_pushfail lua_pushnil
#define luaL_argexpected(L, is, arg, what)                                                 \
  ((void)((is) || luaL_typeerror((L), (arg), (what))))

/* Before 5.3 lines of Lua are around what scripts call (call.c): they are neither the place of an
 * error nor whose arguments are wrong. */
#if LUA_VERSION_NUM < 503
static inline int compat_caller(lua_State *L, lua_Debug *frame) {
  int level = 0;
  while (lua_getstack(L, ++level, frame)) {
    lua_getinfo(L, "S", frame);
    if (strcmp(frame->source, LCCTX_LINES) != 0) break;
  }
  return level;
}

static inline int compat_error(lua_State *L, const char *format, ...) {
  lua_Debug frame;
  va_list args;
  luaL_where(L, compat_caller(L, &frame));
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  lua_concat(L, 2);
  return lua_error(L);
}
#define luaL_error compat_error

static inline int compat_argerror(lua_State *L, int arg, const char *message) {
  lua_Debug frame;
  int level = compat_caller(L, &frame) - 1;
  frame.name = frame.namewhat = NULL;
  if (lua_getstack(L, level, &frame)) lua_getinfo(L, "n", &frame);
  if (frame.namewhat && strcmp(frame.namewhat, "method") == 0 && --arg == 0)
    return luaL_error(L, "calling '%s' on bad self (%s)", frame.name, message);
  return luaL_error(L, "bad argument #%d to '%s' (%s)", arg, frame.name ? frame.name : "?",
                    message);
}
#define luaL_argerror compat_argerror
#undef luaL_argcheck
#define luaL_argcheck(L, is, arg, message)                                                 \
  ((void)((is) || luaL_argerror((L), (arg), (message))))
#endif

#if LUA_VERSION_NUM == 501
#define compat_set_values lua_setfenv
#define compat_get_values lua_getfenv
#define compat_resume(co, from, nargs) ((void)(from), lua_resume((co), (nargs)))
#else
#define compat_set_values lua_setuservalue
#define compat_get_values lua_getuservalue
#define compat_resume lua_resume
#endif

/* Several user values are one table, whose room is made here: to set one needs no memory. */
static inline void *compat_newuserdatauv(lua_State *L, size_t size, int values) {
  void *block = lua_newuserdata(L, size);
  if (values > 0) {
    lua_createtable(L, values, 0);
    compat_set_values(L, -2);
  }
  return block;
}
#define lua_newuserdatauv compat_newuserdatauv

static inline int compat_getiuservalue(lua_State *L, int index, int n) {
  compat_get_values(L, index);
  lua_rawgeti(L, -1, n);
  lua_remove(L, -2);
  return lua_type(L, -1);
}
#define lua_getiuservalue compat_getiuservalue

static inline void compat_setiuservalue(lua_State *L, int index, int n) {
  compat_get_values(L, index);
  lua_insert(L, -2);
  lua_rawseti(L, -2, n);
  lua_pop(L, 1);
}
#define lua_setiuservalue compat_setiuservalue

static inline int compat_resume_of_54(lua_State *co, lua_State *from, int nargs,
                                      int *nresults) {
  int status = compat_resume(co, from, nargs);
  *nresults = lua_gettop(co);
  return status;
}
#undef lua_resume
#define lua_resume compat_resume_of_54

static inline int compat_typeerror(lua_State *L, int arg, const char *wanted) {
  const char *got = luaL_typename(L, arg);
  if (luaL_getmetafield(L, arg, "__name") && lua_type(L, -1) == LUA_TSTRING)
    got = lua_tostring(L, -1);
  return luaL_argerror(L, arg, lua_pushfstring(L, "%s expected, got %s", wanted, got));
}
#define luaL_typeerror compat_typeerror

static inline void compat_checktype(lua_State *L, int arg, int type) {
  if (lua_type(L, arg) != type) luaL_typeerror(L, arg, lua_typename(L, type));
}
#define luaL_checktype compat_checktype

static inline void compat_checkany(lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TNONE) luaL_argerror(L, arg, "value expected");
}
#define luaL_checkany compat_checkany

static inline void *compat_checkudata(lua_State *L, int arg, const char *name) {
  void *block = lua_touserdata(L, arg);
  bool same = block != NULL && lua_getmetatable(L, arg);
  if (same) {
    luaL_getmetatable(L, name);
    same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
  }
  if (!same) luaL_typeerror(L, arg, name);
  return block;
}
#define luaL_checkudata compat_checkudata

#endif

/* ---- Before Lua 5.3 ---- */

#if LUA_VERSION_NUM < 503

typedef intptr_t lua_KContext;
typedef int (*lua_KFunction)(lua_State *L, int status, lua_KContext ctx);

#ifndef LUA_OK
#define LUA_OK 0
#endif
#ifndef LUA_LOADED_TABLE
#define LUA_LOADED_TABLE "_LOADED"
#endif

static inline int compat_pcallk(lua_State *L, int nargs, int nresults, int handler,
                                lua_KContext ctx, lua_KFunction k) {
  (void)ctx;
  (void)k;
  return lua_pcall(L, nargs, nresults, handler);
}
#define lua_pcallk compat_pcallk

static inline void compat_callk(lua_State *L, int nargs, int nresults, lua_KContext ctx,
                                lua_KFunction k) {
  (void)ctx;
  (void)k;
  lua_call(L, nargs, nresults);
}
#define lua_callk compat_callk

/* 5.1 raises for lack of memory when it is asked for room, also where nothing may raise. But it
 * keeps five slots beyond what it tells, on each stack: those are there. */
#if LUA_VERSION_NUM == 501
#define COMPAT_SPARE 5
static inline int compat_checkstack(lua_State *L, int n) {
  return n <= COMPAT_SPARE || lua_checkstack(L, n);
}
#define lua_checkstack compat_checkstack
#define lua_rawlen lua_objlen
#endif

/* That of the main coroutine cannot be told where a host resumes it. */
static inline int compat_isyieldable(lua_State *L) {
  int is_main = lua_pushthread(L);
  lua_pop(L, 1);
  return !is_main;
}
#undef lua_isyieldable
#define lua_isyieldable compat_isyieldable

static inline int compat_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + 1 + index;
}
#undef lua_absindex
#define lua_absindex compat_absindex

static inline void compat_rotate(lua_State *L, int index, int n) {
  while (n-- > 0) lua_insert(L, index);
}
#define lua_rotate compat_rotate

/* Those that are told as integers by everybody else: whole, and exact. */
static inline int compat_isinteger(lua_State *L, int index) {
  lua_Number n = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0.5;
  return floor(n) == n && fabs(n) <= (lua_Number)COMPAT_EXACT && !(n == 0 && signbit(n));
}
#define lua_isinteger compat_isinteger

static inline lua_Integer compat_tointegerx(lua_State *L, int index, int *is_integer) {
  lua_Integer value = lua_tointeger(L, index);
  if (is_integer != NULL) *is_integer = compat_isinteger(L, index);
  return value;
}
#undef lua_tointegerx
#define lua_tointegerx compat_tointegerx

/* ---- The same, with the type of what was pushed ---- */

static inline int compat_getfield(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  return lua_type(L, -1);
}
#undef lua_getfield
#define lua_getfield compat_getfield

static inline int compat_rawget(lua_State *L, int index) {
  lua_rawget(L, index);
  return lua_type(L, -1);
}
#undef lua_rawget
#define lua_rawget compat_rawget

static inline int compat_rawgeti(lua_State *L, int index, lua_Integer n) {
  lua_rawgeti(L, index, (int)n);
  return lua_type(L, -1);
}
#undef lua_rawgeti
#define lua_rawgeti compat_rawgeti

#define lua_rawseti(L, index, n) (lua_rawseti)((L), (index), (int)(n))

static inline int compat_rawgetp(lua_State *L, int index, const void *key) {
  index = compat_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  return compat_rawget(L, index);
}
#undef lua_rawgetp
#define lua_rawgetp compat_rawgetp

static inline void compat_rawsetp(lua_State *L, int index, const void *key) {
  index = compat_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}
#undef lua_rawsetp
#define lua_rawsetp compat_rawsetp

static inline int compat_getmetafield(lua_State *L, int index, const char *name) {
  return luaL_getmetafield(L, index, name) ? lua_type(L, -1) : LUA_TNIL;
}
#define luaL_getmetafield compat_getmetafield

/* ---- The auxiliary library ---- */

static inline void compat_setfuncs(lua_State *L, const luaL_Reg *list, int upvalues) {
  (void)upvalues; /* none */
  for (; list->name != NULL; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}
#undef luaL_setfuncs
#define luaL_setfuncs compat_setfuncs

#undef luaL_newlib
#define luaL_newlib(L, list) (lua_newtable(L), compat_setfuncs((L), (list), 0))

/* With the name that messages tell. */
static inline int compat_newmetatable(lua_State *L, const char *name) {
  if (!luaL_newmetatable(L, name)) return 0;
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  return 1;
}
#define luaL_newmetatable compat_newmetatable

static inline void compat_setmetatable(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}
#undef luaL_setmetatable
#define luaL_setmetatable compat_setmetatable

static inline int compat_getsubtable(lua_State *L, int index, const char *name) {
  index = compat_absindex(L, index);
  if (compat_getfield(L, index, name) == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, index, name);
  return 0;
}
#undef luaL_getsubtable
#define luaL_getsubtable compat_getsubtable

#endif
#endif
