/* SPDX-License-Identifier: Apache-2.0 */
/* Captures: what becomes of values that go to another thread.
 *
 * An object of a pool, or of one thread, must not follow a session across threads as it is. Its
 * key says what is to be done; where no key does, a capture is a reference.
 */
#include <cctx/backup.h>

#include <assert.h>
#include <stdatomic.h>

#include "context.h"

/* Written before there is a second thread, but for the count, which only rises. */
static struct capture {
  cctx_key *key;
  cctx_capture_fn *fn; /* NULL: no more */
  void *arg;
} captures[CCTX_CAPTURES_MAX];
static atomic_size_t captures_n;

int cctx_on_capture(cctx_key *key, cctx_capture_fn *fn, void *arg) {
  size_t n = atomic_load(&captures_n), i = 0;
  assert(key != NULL && "cctx_on_capture: no key");
  while (i < n && captures[i].key != key) i++;
  if (i == CCTX_CAPTURES_MAX) return CCTX_EBUSY;
  captures[i] = (struct capture){key, fn, arg};
  if (i == n) atomic_store(&captures_n, n + 1);
  return CCTX_OK;
}

/* What the key's hook makes of the value that `ctx` has; false: nothing is to be done. */
static bool apply(const struct capture *capture, const cctx *ctx, struct cctx_entry *out) {
  cctx_variant value;
  if (capture->fn == NULL || cctx_value(ctx, capture->key, &value) != CCTX_OK) return false;
  *out = (struct cctx_entry){capture->key, cctx_nil()};
  return capture->fn(capture->arg, &value, &out->value);
}

/* The reference that a hook gave us: the node has taken one of its own, or this one if its kind
 * has no way to take more. */
static void give_up(const cctx_variant *value, bool is_stored) {
  if (value->type != CCTX_POINTER || value->as.p.release == NULL) return;
  if (value->as.p.retain || !is_stored) value->as.p.release(value->as.p.ptr);
}

cctx *cctx_capture(cctx *ctx) {
  struct cctx_entry entries[CCTX_CAPTURES_MAX];
  size_t n = 0, captures_now = atomic_load(&captures_n);
  cctx *captured;
  assert(cctx__is_live(ctx) && "cctx_capture: no context, or one given back");
  for (size_t i = 0; i < captures_now; i++)
    if (apply(&captures[i], ctx, &entries[n])) n++;
  if (n == 0) return cctx_ref(ctx);
  captured = cctx_with_values(ctx, entries, n);
  for (size_t i = 0; i < n; i++) give_up(&entries[i].value, captured != NULL);
  return captured;
}
