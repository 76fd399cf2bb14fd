/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches in a build without libcurl: none can be started. */
#include <stdio.h>

#include "fetch.h"

int fetch_start(struct fetch **out, cctx *ctx, const struct fetch_call *call, char *why,
                size_t size) {
  (void)out;
  (void)ctx;
  (void)call;
  snprintf(why, size, "this build of cctx has no libcurl, and so no fetch");
  return CCTX_EINVAL;
}

void fetch_free(struct fetch *fetch) { (void)fetch; }
void fetch_close(void) {}

/* Of one that was started, which none was. */
bool fetch_is_done(const struct fetch *fetch) { return (void)fetch, true; }
bool fetch_wait(const struct fetch *fetch) { return (void)fetch, true; }
int fetch_fd(const struct fetch *fetch) { return (void)fetch, -1; }
cctx *fetch_context(const struct fetch *fetch) { return (void)fetch, cctx_background(); }
unsigned fetch_status(const struct fetch *fetch) { return (void)fetch, 0; }

enum fetch_result fetch_result(const struct fetch *fetch) {
  return (void)fetch, FETCH_FAILED;
}

const char *fetch_reason(const struct fetch *fetch) {
  return (void)fetch, "fetch: no libcurl";
}

const struct headers *fetch_headers(const struct fetch *fetch) {
  static const struct headers none;
  return (void)fetch, &none;
}

const char *fetch_body(const struct fetch *fetch, size_t *len) {
  *len = 0;
  return (void)fetch, "";
}
