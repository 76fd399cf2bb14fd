/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a Lua handler sees it, and its results as an answer. */
#ifndef HOST_LUA_REQUEST_H
#define HOST_LUA_REQUEST_H

#include <lauxlib.h>
#include <lua.h>

#include "request.h"

/** Push {[name] = value}. May raise for lack of memory. */
void lua_request_push_headers(lua_State *L, const struct headers *headers);

/** Push {method=, path=, query=, headers={}, body=}. May raise for lack of memory. */
void lua_request_push(lua_State *L, const struct request *request);

/** Answer with all of the stack: a body, or a status, a body, and a table of headers or
 *  nothing. Raises, with no answer given, if it is none of them. */
void lua_request_answer(lua_State *L, struct request *request);

#endif
