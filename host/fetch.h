/* SPDX-License-Identifier: Apache-2.0 */
/* A fetch: one HTTP call to another server, under a context that stops it. */
#ifndef HOST_FETCH_H
#define HOST_FETCH_H

#include <cctx.h>

#include "headers.h"

/* The longest body of an answer that is taken, unless another bound is asked for. */
#define FETCH_BODY_MAX (INT64_C(16) << 20)

/* What is asked for. All of it is borrowed for the time of fetch_start. */
struct fetch_call {
  const char *url;
  const char *method; /* NULL: GET, or POST if there is a body */
  const char
      *format; /* what is said of the context: a word of cctx_format_word; NULL: nothing */
  struct headers headers; /* they win over what is said of the context */
  const char *body;       /* or NULL */
  size_t len;
  int64_t timeout;         /* ns, beside what the context has left; CCTX_NEVER: none */
  int64_t body_max;        /* bytes of the answer's body */
  void (*wake)(void *arg); /* called once, on another thread, when it is done; or NULL */
  void *arg;
};

enum fetch_result {
  FETCH_ANSWERED,
  FETCH_STOPPED, /* its context is done */
  FETCH_LATE,    /* its own timeout has passed */
  FETCH_FAILED
};

struct fetch;

/* Start a call under `ctx`: 0 with one in `*out`; CCTX_EINVAL with a sentence in `why`; or
 * CCTX_ENOMEM. Where no time is left it is done at once, and no connection is made. */
int fetch_start(struct fetch **out, cctx *ctx, const struct fetch_call *call, char *why,
                size_t size);

/* Give it back; what is under way is aborted, and the peer sees its connection close. NULL
 * is allowed. */
void fetch_free(struct fetch *fetch);

/* Whether it is done; all that follow are for one that is. */
bool fetch_is_done(const struct fetch *fetch);

/* A descriptor that is readable once it is done, for poll; never to be read. */
int fetch_fd(const struct fetch *fetch);

/* Wait until it is done: false if a signal was handled meanwhile. */
bool fetch_wait(const struct fetch *fetch);

enum fetch_result fetch_result(const struct fetch *fetch);

/* Why it was late or failed, in a sentence that names the URL. */
const char *fetch_reason(const struct fetch *fetch);

/* What it was started under; borrowed. */
cctx *fetch_context(const struct fetch *fetch);

unsigned fetch_status(const struct fetch *fetch);
const struct headers *fetch_headers(const struct fetch *fetch);
const char *fetch_body(const struct fetch *fetch, size_t *len);

/* End all calls, and the thread that makes them: none begins after that. */
void fetch_close(void);

#endif
