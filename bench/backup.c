/* SPDX-License-Identifier: Apache-2.0 */
/* The backup store: a handler entered and left, what a client recovers, a manager of ids. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static cctx *request, *lost;
static cctx_backup entered;
static cctx_manager *manager;
static long ids;

/* A request with x pairs of metadata, whose handler is entered; the client has none of them. */
static void open_request(long x) {
  request = bench_must(cctx_with_cancel(cctx_background()));
  lost = bench_must(cctx_with_cancel(cctx_background()));
  for (long i = 0; i < x; i++) {
    char name[32];
    struct cctx_metadata_pair pair = {CCTX_REQUEST, name, "value", 5};
    cctx *next;
    snprintf(name, sizeof name, "name%ld", i);
    if (cctx_with_metadata(&next, request, &pair, 1, NULL) != 0) abort();
    cctx_unref(request);
    request = next;
  }
  if (cctx_backup_enter(&entered, request) != 0) abort();
}

static void close_request(void) {
  cctx_backup_leave(&entered);
  cctx_unref(lost);
  cctx_unref(request);
}

static void run_backup(long n) {
  while (n-- > 0) {
    cctx_backup backup;
    if (cctx_backup_enter(&backup, request) != 0) abort();
    cctx_backup_leave(&backup);
  }
}

static void run_session(long n) {
  while (n-- > 0) {
    cctx *session = cctx_session_current(NULL);
    bench_sink += session == entered.ctx;
    cctx_unref(session);
  }
}

static void run_session_state(long n) {
  while (n-- > 0) {
    if (cctx_session_state(cctx_current()) != CCTX_SESSION_VALID) abort();
  }
}

static void run_bind(long n) {
  while (n-- > 0) {
    cctx_token token;
    if (cctx_attach(entered.ctx, &token) != 0) abort();
    cctx_detach(&token);
  }
}

static int agree(void *arg, cctx *prev, cctx *cur, cctx **out) {
  (void)arg, (void)prev, (void)cur, (void)out;
  return 1;
}

/* As in the rival, which recovers nothing without a handler. */
static void run_recover(long n) {
  static const struct cctx_recovery how = {.handler = agree};
  while (n-- > 0) {
    cctx *out;
    if (cctx_recover(&out, NULL, lost, &how, NULL) != 0) abort();
    cctx_unref(out);
  }
}

/* x ids, each with a session bound. */
static void open_manager(long x) {
  ids = x > 0 ? x : 1;
  request = bench_must(cctx_with_session(cctx_background(), CCTX_NEVER));
  if (cctx_manager_new(&manager, NULL) != 0) abort();
  for (long i = 0; i < ids; i++)
    if (cctx_manager_bind(manager, (uint64_t)i, request, NULL) != 0) abort();
}

static void close_manager(void) {
  cctx_manager_close(manager);
  cctx_unref(request);
}

static void run_get(long n) {
  while (n-- > 0) {
    cctx *found = cctx_manager_get(manager, (uint64_t)(n % ids), NULL);
    bench_sink += found == request;
    cctx_unref(found);
  }
}

static void run_manager_bind(long n) {
  while (n-- > 0) {
    uint64_t serial, id = (uint64_t)(n % ids);
    if (cctx_manager_bind(manager, id, request, &serial) != 0) abort();
    cctx_manager_unbind(manager, id, serial);
  }
}

#define OF_REQUEST .open = open_request, .close = close_request
#define OF_MANAGER .open = open_manager, .close = close_manager

const struct bench_op bench_backup[] = {
    {.name = "session", .run = run_session, OF_REQUEST},
    {.name = "session_state", .run = run_session_state, OF_REQUEST},
    {.name = "bind", .run = run_bind, OF_REQUEST},
    {.name = "backup", .run = run_backup, OF_REQUEST},
    {.name = "recover", .run = run_recover, OF_REQUEST},
    {.name = "manager_get", .run = run_get, OF_MANAGER},
    {.name = "manager_bind", .run = run_manager_bind, OF_MANAGER},
    {.name = NULL},
};
