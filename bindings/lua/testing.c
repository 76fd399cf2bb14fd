/* SPDX-License-Identifier: Apache-2.0 */
/* cctx.testing: the clock of tests, and what they count. */
#include "lcctx.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* cctx.testing.clock_set(seconds), or nil to let time pass again */
static int clock_set(lua_State *L) {
  cctx_clock_set(lua_isnoneornil(L, 1) ? CCTX_CLOCK_REAL : lcctx_check_seconds(L, 1));
  return 0;
}

/* cctx.testing.stale_detaches(): brackets that did not match; this module makes none */
static int stale_detaches(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)(cctx_stale_detaches() + lcctx_stale_tokens()));
  return 1;
}

/* ---- Strict ----
 *
 * The log is the process's, and any thread may write to it: so are its lines here, kept
 * without Lua, as many as there is room for.
 */

#define LINES_MAX 8000

static struct {
  pthread_mutex_t mutex;
  bool on;
  unsigned count;
  size_t len;
  char text[LINES_MAX];
} said = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Where the script derives from what is over: the core knows the address of this binding. */
static _Thread_local struct {
  char file[128];
  int line; /* 0: it does not */
} late;

void lcctx_note_place(lua_State *L) {
  struct lcctx_place place;
  lcctx_find_place(L, &place);
  snprintf(late.file, sizeof late.file, "%s", place.file);
  late.line = place.line;
}

static void describe(char *out, size_t size, const char *line) {
  const char *address = strstr(line, ", made by code at ");
  if (address && late.line) {
    snprintf(out, size, "%.*s, made at %s:%d", (int)(address - line), line, late.file,
             late.line);
    late.line = 0;
  } else {
    snprintf(out, size, "%s", line);
  }
}

static void note_line(void *unused, const char *message) {
  char line[1024];
  size_t len;
  (void)unused;
  describe(line, sizeof line, message);
  len = strlen(line);
  pthread_mutex_lock(&said.mutex);
  said.count++;
  if (said.on && said.len + len + 2 < LINES_MAX) {
    memcpy(said.text + said.len, "\n", 1);
    memcpy(said.text + said.len + 1, line, len);
    said.len += len + 1;
  }
  pthread_mutex_unlock(&said.mutex);
}

static bool begin(void) {
  bool was;
  pthread_mutex_lock(&said.mutex);
  was = said.on;
  if (!was) {
    said.on = true;
    said.count = 0;
    said.len = 0;
  }
  pthread_mutex_unlock(&said.mutex);
  return !was;
}

static unsigned end(void) {
  pthread_mutex_lock(&said.mutex);
  said.on = false;
  pthread_mutex_unlock(&said.mutex);
  return said.count;
}

/* cctx.testing.strict(f, ...): an error if the library had to say something meanwhile */
static int strict(lua_State *L) {
  int status, before;
  unsigned lines;
  lcctx_check_callable(L, 1);
  if (!begin()) return luaL_error(L, "strict mode of a test is on already");
  cctx_set_log(note_line, NULL);
  before = cctx_strict(1);
  status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  cctx_strict(before);
  cctx_set_log(NULL, NULL);
  lines = end();
  if (status != LUA_OK) return lua_error(L);
  if (lines == 0) return lua_gettop(L);
  lua_settop(L, 0);
  lua_pushfstring(L, "%d misuses:", (int)lines);
  lua_pushlstring(L, said.text, said.len);
  lua_concat(L, 2);
  return lua_error(L);
}

const luaL_Reg lcctx_testing_functions[] = {
    {"clock_set", clock_set},
    {"stale_detaches", stale_detaches},
    {"strict", strict},
    {NULL, NULL},
};
