/* SPDX-License-Identifier: Apache-2.0 */
/* Work that outlives its request: a detached context keeps the values and nothing else.
 *
 * Two middlewares each set a value, a third sets a deadline of 1 ms, and the handler waits
 * until that has passed. examples/detached.lua and detached.py are the same program.
 */
#define _DEFAULT_SOURCE 1
#include <cctx.h>
#include <stdio.h>
#include <time.h>

typedef void handler(void);

/* Call `next` under `ctx`, whose reference it takes over. */
static void call_under(cctx *ctx, handler *next) {
  cctx_token token;
  if (ctx == NULL || cctx_attach(ctx, &token) != CCTX_OK) {
    fputs("detached: out of memory\n", stderr);
  } else {
    next();
    cctx_detach(&token);
  }
  cctx_unref(ctx);
}

static void print_value(const cctx *ctx, const char *name) {
  cctx_variant value;
  if (cctx_value(ctx, cctx_key_find(name), &value) != CCTX_OK)
    printf(", no %s", name);
  else
    printf(", %s=%.*s", name, (int)value.as.s.len, value.as.s.bytes);
}

static void report(const char *who, const cctx *ctx) {
  int64_t deadline = cctx_deadline(ctx);
  int err = cctx_err(ctx);
  if (deadline == CCTX_NEVER)
    printf("%s: no deadline", who);
  else
    printf("%s: deadline %.3f", who, (double)deadline / (double)CCTX_SECOND);
  printf(", %s", err == CCTX_OK ? "no error" : cctx_status_word(err));
  print_value(ctx, "one-key");
  print_value(ctx, "two-key");
  puts("");
}

static void handle(void) {
  cctx *detached = cctx_detached(cctx_current(), 0);
  struct timespec two_ms = {0, 2 * (long)CCTX_MILLISECOND};
  if (detached == NULL) return;
  nanosleep(&two_ms, NULL);
  report("DETACHED", detached);
  report("ORIGINAL", cctx_current());
  cctx_unref(detached);
}

static void with_deadline(void) {
  call_under(cctx_with_timeout(cctx_current(), CCTX_MILLISECOND), handle);
}

static void middleware_two(void) {
  cctx_variant value = cctx_text("two-value");
  call_under(cctx_with_value(cctx_current(), cctx_key_named("two-key"), value),
             with_deadline);
}

static void middleware_one(void) {
  cctx_variant value = cctx_text("one-value");
  call_under(cctx_with_value(cctx_current(), cctx_key_named("one-key"), value),
             middleware_two);
}

int main(void) {
  middleware_one();
  return cctx_alive() == 0 ? 0 : 1;
}
