/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a context to be done. */
#include <assert.h>

#include <cctx/loop.h>

#include "clock.h"
#include "lock.h"
#include "stop.h"

/* Every cancellation wakes every waiter, and each looks for itself. */
int cctx_wait(cctx *ctx, int64_t until) {
  int status;
  assert(cctx__is_live(ctx) && "cctx_wait: no context, or one given back");
  cctx__lock();
  while ((status = cctx__verdict(ctx)) == CCTX_OK && cctx_now() < until) {
    int64_t expected = cctx__expected(ctx);
    cctx__wait(cctx__clock_sleep_until(until < expected ? until : expected));
  }
  cctx__unlock();
  return status;
}

/* ---- As a file descriptor --------------------------------------------------------------- */

static struct alarm never; /* of all contexts that nothing can stop */

__attribute__((constructor)) static void begin(void) { cctx__alarm_init(&never); }

int cctx_done_fd(cctx *ctx) {
  struct watch *watch;
  int fd;
  assert(cctx__is_live(ctx) && "cctx_done_fd: no context, or one given back");
  cctx__lock();
  watch = cctx__watch_of(ctx);
  fd = cctx__alarm_fd(watch ? &watch->alarm : &never);
  if (watch && fd >= 0) {
    bool is_live = cctx__verdict(ctx) == CCTX_OK;
    if (is_live) cctx__watch_link(watch);
    cctx__alarm_set(&watch->alarm, is_live ? cctx__expected(ctx) : INT64_MIN);
  }
  cctx__unlock();
  return fd >= 0 ? fd : CCTX_ENOMEM;
}
