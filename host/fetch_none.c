/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches in a build without libcurl: each has failed from the start. */
#include "fetch.h"

struct fetch {
  char unused;
};

int fetch_start(struct fetch **out, cctx *ctx, const struct fetch_call *call, char *why,
                size_t size) {
  static struct fetch only;
  (void)ctx, (void)call, (void)why, (void)size;
  *out = &only;
  return 0;
}

void fetch_free(struct fetch *fetch) { (void)fetch; }
void fetch_close(void) {}

bool fetch_is_done(const struct fetch *fetch) { return (void)fetch, true; }
bool fetch_wait(const struct fetch *fetch) { return (void)fetch, true; }
int fetch_fd(const struct fetch *fetch) { return (void)fetch, -1; }

enum fetch_result fetch_result(const struct fetch *fetch) {
  return (void)fetch, FETCH_FAILED;
}

const char *fetch_reason(const struct fetch *fetch) {
  return (void)fetch, "fetch: this build of cctx has no libcurl";
}

/* Of one that was answered, which none is. */
cctx *fetch_context(const struct fetch *fetch) { return (void)fetch, cctx_background(); }
unsigned fetch_status(const struct fetch *fetch) { return (void)fetch, 0; }

const struct headers *fetch_headers(const struct fetch *fetch) {
  static const struct headers none;
  return (void)fetch, &none;
}

const char *fetch_body(const struct fetch *fetch, size_t *len) {
  *len = 0;
  return (void)fetch, "";
}
