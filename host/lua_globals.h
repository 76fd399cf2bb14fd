/* SPDX-License-Identifier: Apache-2.0 */
/* The globals of a handler's file: what one request sets is not there for the next.
 *
 * The file's functions share one table of globals, which is always empty: it looks in, and
 * writes to, the table of the request that runs. Behind that are the globals that the file
 * itself has set when it was loaded, and behind those the ones of the state.
 */
#ifndef HOST_LUA_GLOBALS_H
#define HOST_LUA_GLOBALS_H

#include <lua.h>

/* References into the registry. */
struct lua_globals {
  int proxy;  /* the metatable of the table that the functions have */
  int file;   /* what the file has set */
  int behind; /* the metatable of each request's table: it looks in `file` */
};

/* Load `file`, call it, and leave what it returned on the stack. Raises. */
void lua_globals_load(lua_State *L, struct lua_globals *globals, const char *file);

/* Push a table for the globals of one more request. Raises for lack of memory. */
void lua_globals_push(lua_State *L, const struct lua_globals *globals);

/* Until the next call, globals are those of the table that `ref` is a reference to;
 * LUA_NOREF: those of the file. Needs two free slots. */
void lua_globals_use(lua_State *L, const struct lua_globals *globals, int ref);

#endif
