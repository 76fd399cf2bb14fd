/* SPDX-License-Identifier: Apache-2.0 */
/* The current context of a thread that no interpreter is attached to. */
#include <stdlib.h>

#include "bench.h"

static cctx *attached;
static cctx_token *tokens;
static long depth;

/* Below x scopes. */
static void open_scopes(long x) {
  attached = bench_must(cctx_with_cancel(cctx_background()));
  tokens = bench_must(calloc((size_t)x + 1, sizeof *tokens));
  for (depth = 0; depth < x; depth++)
    if (cctx_attach(attached, &tokens[depth]) != 0) abort();
}

static void close_scopes(void) {
  while (depth > 0) cctx_detach(&tokens[--depth]);
  free(tokens);
  cctx_finish(attached);
}

static void run_current(long n) {
  while (n-- > 0) bench_sink += cctx_current() == attached;
}

static void run_attach(long n) {
  while (n-- > 0) {
    cctx_token token;
    if (cctx_attach(attached, &token) != 0) abort();
    cctx_detach(&token);
  }
}

static void run_request(long n) {
  while (n-- > 0) {
    cctx_request request;
    if (cctx_request_begin(&request, cctx_background(), NULL) != 0) abort();
    cctx_request_end(&request);
  }
}

const struct bench_op bench_current[] = {
    {.name = "current", .open = open_scopes, .run = run_current, .close = close_scopes},
    {.name = "attach", .open = open_scopes, .run = run_attach, .close = close_scopes},
    {.name = "request", .open = open_scopes, .run = run_request, .close = close_scopes},
    {.name = NULL},
};
