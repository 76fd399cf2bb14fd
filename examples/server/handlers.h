/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers: what a request asks for is done by a script. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include <cctx.h>
#include <lua.h>

#define ANSWER_MAX 128

/* Once, on one thread; false if it has said why not. Stopping waits for Python's threads. */
bool python_start(void);
void python_stop(void);

/* A Lua for one thread, which calls lua_close; NULL if it has said why not. */
lua_State *lua_start(void);

/* Call the handler with `ctx` current, on any thread: false if it failed, and has said why. */
bool python_ask(cctx *ctx, const char *table, char answer[ANSWER_MAX]);
bool lua_ask(lua_State *L, cctx *ctx, const char *table, char answer[ANSWER_MAX]);

#endif
