/* SPDX-License-Identifier: Apache-2.0 */
/* Handing a context to another Lua state, as a string that is good for one import.
 *
 * A string is all that every library of Lua threads passes on. It is a random number, which
 * names a reference that waits in this file for whoever brings the string, once: the
 * reference is the process's, of a limited number and for a limited time.
 */
#include "lcctx.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define EXPORTS_MAX 1000
#define EXPIRES_AFTER (60 * CCTX_SECOND)
#define TOKEN "cctx:"

struct parcel {
  struct parcel *next;
  uint64_t id[2];
  cctx *ctx; /* owned */
  int64_t until;
};

/* Guards the list. No context is given back, and no Lua called, while it is held. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct parcel *parcels;
static unsigned parcels_n;

static void free_all(struct parcel *parcel) {
  while (parcel) {
    struct parcel *next = parcel->next;
    cctx_unref(parcel->ctx);
    free(parcel);
    parcel = next;
  }
}

/* Take out those that are too old, or the one with `id`. Returns them. */
static struct parcel *take(const uint64_t *id) {
  struct parcel *taken = NULL, **link = &parcels;
  int64_t now = cctx_now();
  while (*link) {
    struct parcel *parcel = *link;
    bool wanted = id ? memcmp(parcel->id, id, sizeof parcel->id) == 0 && now < parcel->until
                     : now >= parcel->until;
    if (!wanted) {
      link = &parcel->next;
      continue;
    }
    *link = parcel->next;
    parcel->next = taken;
    taken = parcel;
    parcels_n--;
  }
  return taken;
}

void lcctx_export_expire(void) {
  struct parcel *old;
  pthread_mutex_lock(&mutex);
  old = take(NULL);
  pthread_mutex_unlock(&mutex);
  free_all(old);
}

static bool add(struct parcel *parcel) {
  bool room;
  pthread_mutex_lock(&mutex);
  room = parcels_n < EXPORTS_MAX;
  if (room) {
    parcel->next = parcels;
    parcels = parcel;
    parcels_n++;
  }
  pthread_mutex_unlock(&mutex);
  return room;
}

static bool draw(uint64_t id[2]) {
  ssize_t n;
  do n = getrandom(id, 2 * sizeof *id, 0);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)(2 * sizeof *id);
}

static int fail(lua_State *L, const char *why) {
  luaL_pushfail(L);
  lua_pushstring(L, why);
  return 2;
}

/* ctx:export([seconds]) -> token */
static int export(lua_State *L) {
  int64_t until;
  uint64_t id[2];
  char token[64];
  struct parcel *parcel;
  lcctx_check(L, 1);
  until =
      lua_isnoneornil(L, 2) ? cctx_deadline_after(EXPIRES_AFTER) : lcctx_opt_until(L, 2);
  lcctx_export_expire();
  if (!draw(id)) return fail(L, "the system has no random numbers");
  snprintf(token, sizeof token, TOKEN "%016llx%016llx", (unsigned long long)id[0],
           (unsigned long long)id[1]);
  lua_pushstring(L, token);
  parcel = malloc(sizeof *parcel);
  if (parcel == NULL) return lcctx_no_memory(L);
  *parcel = (struct parcel){
      .id = {id[0], id[1]}, .ctx = cctx_capture(lcctx_check(L, 1)), .until = until};
  if (parcel->ctx == NULL) {
    free_all(parcel);
    return lcctx_no_memory(L);
  }
  if (add(parcel)) return 1;
  free_all(parcel);
  return fail(L, "too many contexts are exported and were not imported");
}

static bool read_token(const char *text, size_t len, uint64_t id[2]) {
  const char *digits = text + strlen(TOKEN);
  if (len != strlen(TOKEN) + 32 || strncmp(text, TOKEN, strlen(TOKEN)) != 0 ||
      strspn(digits, "0123456789abcdef") != 32)
    return false;
  for (int half = 0; half < 2; half++) {
    char part[17] = "";
    memcpy(part, digits + 16 * half, 16);
    id[half] = strtoull(part, NULL, 16);
  }
  return true;
}

/* cctx.import(token) -> context, or nil and why not */
static int import(lua_State *L) {
  size_t len;
  const char *text = lcctx_check_text(L, 1, &len);
  cctx **box = lcctx_new(L);
  struct parcel *parcel = NULL;
  uint64_t id[2];
  lcctx_export_expire();
  if (read_token(text, len, id)) {
    pthread_mutex_lock(&mutex);
    parcel = take(id);
    pthread_mutex_unlock(&mutex);
  }
  if (parcel == NULL)
    return fail(L, "not the token of a context that waits: it was imported, or is too old");
  *box = parcel->ctx;
  free(parcel);
  return 1;
}

const luaL_Reg lcctx_export_methods[] = {{"export", export}, {NULL, NULL}};
const luaL_Reg lcctx_export_functions[] = {{"import", import}, {NULL, NULL}};
