/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline of a message that waits in a queue, in wall-clock time.
 *
 * A relative time would stand still while the message waits; an absolute one trusts two clocks.
 * So both points are sent, the deadline and the sending, and the earlier of two
 * answers holds: what was left at the sending, from now on, and what the wall clock says is left. A
 * sender whose clock is behind is not seen: it looks like a message that has waited.
 */
#define _GNU_SOURCE 1
#include "expires.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DIGITS_MAX = 15 }; /* of ms: 30,000 years */
static const int64_t skew_otherwise = 60 * CCTX_SECOND;

static int64_t wall_now(const struct cctx_policy *policy) {
  struct timespec t;
  if (policy->wall != 0) return policy->wall;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * CCTX_SECOND + t.tv_nsec;
}

static bool take_word(struct cctx__text *text, const char *word) {
  size_t len = strlen(word);
  if (text->len < len || memcmp(text->at, word, len) != 0) return false;
  text->at += len;
  text->len -= len;
  return true;
}

/* Milliseconds as ns; saturates. */
static int64_t to_ns(int64_t ms) {
  if (ms > CCTX_NEVER / CCTX_MILLISECOND) return CCTX_NEVER;
  if (ms < -(CCTX_NEVER / CCTX_MILLISECOND)) return -CCTX_NEVER;
  return ms * CCTX_MILLISECOND;
}

int cctx__expires_parse(struct cctx__text text, const struct cctx_policy *policy,
                        int64_t *deadline, bool *skewed) {
  int64_t expires, sent, now = wall_now(policy);
  int64_t allowed = policy->skew_max > 0 ? policy->skew_max : skew_otherwise;
  if (!cctx__take_number(&text, DIGITS_MAX, &expires) || !take_word(&text, ";sent=") ||
      !cctx__take_number(&text, DIGITS_MAX, &sent) || text.len > 0)
    return CCTX_EINVAL;
  int64_t at_sending = to_ns(expires - sent);
  int64_t ahead = to_ns(sent - now / CCTX_MILLISECOND);
  int64_t at_now = to_ns(expires) == CCTX_NEVER ? CCTX_NEVER : to_ns(expires) - now;
  *skewed = ahead > allowed;
  *deadline = cctx_deadline_after(*skewed || at_sending < at_now ? at_sending : at_now);
  return CCTX_OK;
}

size_t cctx__expires_format(int64_t deadline, const struct cctx_policy *policy,
                            char out[CCTX__EXPIRES_ROOM]) {
  int64_t now = wall_now(policy), left = deadline - cctx_now();
  int64_t at = left > CCTX_NEVER - CCTX_MILLISECOND - now ? CCTX_NEVER - CCTX_MILLISECOND
                                                          : now + left;
  int64_t expires = (at + CCTX_MILLISECOND - 1) / CCTX_MILLISECOND;
  return (size_t)snprintf(out, CCTX__EXPIRES_ROOM, "%" PRId64 ";sent=%" PRId64, expires,
                          now / CCTX_MILLISECOND);
}
