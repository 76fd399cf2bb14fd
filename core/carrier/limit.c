/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: the deadline of a request, in whatever field it travels.
 *
 * There is no standard for HTTP. All that is read is a promise to wait no longer, so the
 * earliest of them holds. A relative time has no beginning in a variable that processes
 * inherit - it would start anew in each of them -, and is neither read nor written there.
 */
#include "limit.h"

#include <string.h>

#include "expires.h"
#include "timeout.h"

struct kind {
  unsigned field;
  bool relative;
  const char *name, *message; /* name NULL: the policy's own */
};
static const struct kind kinds[] = {
    {CCTX_FIELD_GRPC_TIMEOUT, true, "grpc-timeout", "grpc-timeout of the caller"},
    {CCTX_FIELD_CONNECT_TIMEOUT, true, "connect-timeout-ms",
     "connect-timeout-ms of the caller"},
    {CCTX_FIELD_ENVOY_EXPECTED, true, "x-envoy-expected-rq-timeout-ms",
     "x-envoy-expected-rq-timeout-ms of the caller"},
    {CCTX_FIELD_ENVOY_UPSTREAM, true, "x-envoy-upstream-rq-timeout-ms",
     "x-envoy-upstream-rq-timeout-ms of the caller"},
    {CCTX_FIELD_TIMEOUT, true, NULL, "timeout of the caller"},
    {CCTX_FIELD_DEADLINE, false, "cctx-deadline", "cctx-deadline of the caller"},
    {CCTX_FIELD_EXPIRES, false, "cctx-expires", "cctx-expires of the message"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The name of a field that is among `fields` and can be used, or NULL. */
static const char *usable(const struct kind *kind, unsigned fields,
                          const struct cctx_policy *policy) {
  if (!(fields & kind->field)) return NULL;
  if (kind->relative && policy->names == CCTX_NAMES_ENVIRONMENT) return NULL;
  if (kind->name) return kind->name;
  const char *name = policy->timeout.unit > 0 ? policy->timeout.name : NULL;
  return name && strlen(name) <= CCTX_METADATA_NAME_MAX ? name : NULL;
}

/* ---- Reading ---- */

/* Whole milliseconds. For Envoy 0 is no limit. */
static int parse_ms(struct cctx__text text, bool zero_is_none, int64_t *timeout) {
  if (text.len > 0 && memchr(text.at, '.', text.len)) return CCTX_EINVAL;
  int rc = cctx__decimal_parse(text, CCTX_MILLISECOND, timeout);
  if (rc == CCTX_OK && zero_is_none && *timeout == 0) *timeout = CCTX_NEVER;
  return rc;
}

static int parse(const struct kind *kind, struct cctx__text text,
                 const struct cctx__source *source, const struct cctx_policy *policy,
                 int64_t *deadline) {
  int64_t timeout = CCTX_NEVER;
  bool skewed = false;
  int rc;
  text = cctx__trim(text.at, text.len);
  switch (kind->field) {
  case CCTX_FIELD_GRPC_TIMEOUT:
    rc = cctx_grpc_timeout_parse(text.at, text.len, &timeout);
    break;
  case CCTX_FIELD_TIMEOUT:
    rc = cctx__decimal_parse(text, policy->timeout.unit, &timeout);
    break;
  case CCTX_FIELD_DEADLINE: return cctx_boot_deadline_parse(text.at, text.len, deadline);
  case CCTX_FIELD_EXPIRES:
    rc = cctx__expires_parse(text, policy, deadline, &skewed);
    source->counts->skewed += skewed;
    return rc;
  default: rc = parse_ms(text, kind->field != CCTX_FIELD_CONNECT_TIMEOUT, &timeout);
  }
  *deadline = cctx_deadline_after(timeout);
  return rc;
}

static void read_kind(const struct kind *kind, const char *name,
                      const struct cctx__source *source, const struct cctx_policy *policy,
                      struct cctx__limit *limit) {
  struct cctx__text text;
  size_t cursor = 0;
  int64_t deadline;
  while (cctx__source_next(source, name, &cursor, &text)) {
    if (parse(kind, text, source, policy, &deadline) != CCTX_OK) {
      source->counts->malformed++;
    } else if (deadline < limit->deadline) {
      limit->deadline = deadline;
      limit->message = kind->message;
    }
  }
}

/* The policy's bounds. */
static void bound(const struct cctx__source *source, const struct cctx_policy *policy,
                  struct cctx__limit *limit) {
  int64_t now = cctx_now(), latest = cctx_deadline_after(policy->timeout_max);
  if (limit->deadline == CCTX_NEVER) return;
  if (policy->timeout_max > 0 && limit->deadline > latest) {
    source->counts->cut++;
    limit->deadline = latest;
    limit->message = "the caller's deadline, cut to the longest one that is allowed";
  }
  bool passed = limit->deadline <= now;
  if (!passed && policy->timeout_min > 0 && limit->deadline - now <= policy->timeout_min) {
    limit->deadline = now;
    passed = true;
  }
  source->counts->expired += passed;
}

struct cctx__limit cctx__limit_read(const struct cctx__source *source,
                                    const struct cctx_policy *policy) {
  struct cctx__limit limit = {CCTX_NEVER, NULL};
  for (size_t i = 0; i < KINDS; i++) {
    const char *name = usable(&kinds[i], policy->read, policy);
    if (name) read_kind(&kinds[i], name, source, policy, &limit);
  }
  bound(source, policy, &limit);
  return limit;
}

/* ---- Writing ---- */

/* Room for any of them. */
enum { ROOM = 64 };

/* Returns the length, or 0 if it cannot be said. */
static size_t format(const struct kind *kind, int64_t deadline,
                     const struct cctx_policy *policy, char out[ROOM]) {
  int64_t now = cctx_now(), timeout = deadline > now ? deadline - now : 1;
  switch (kind->field) {
  case CCTX_FIELD_GRPC_TIMEOUT:
    return cctx_grpc_timeout_format(timeout, out) == CCTX_OK ? strlen(out) : 0;
  case CCTX_FIELD_TIMEOUT:
    return cctx__decimal_format(timeout, policy->timeout.unit, policy->timeout.decimals,
                                out);
  case CCTX_FIELD_DEADLINE:
    return cctx_boot_deadline_format(deadline, out, ROOM) == CCTX_OK ? strlen(out) : 0;
  case CCTX_FIELD_EXPIRES: return cctx__expires_format(deadline, policy, out);
  default: return cctx__decimal_format(timeout, CCTX_MILLISECOND, 0, out);
  }
}

/* The deadline may have passed since the context was asked whether it is done: then the least that
 * can be said is sent. */
void cctx__limit_write(int64_t deadline, const struct cctx_policy *policy,
                       struct cctx__sink *sink) {
  for (size_t i = 0; i < KINDS; i++) {
    const char *name = usable(&kinds[i], policy->write, policy);
    char text[ROOM];
    if (!name) continue;
    size_t len = deadline == CCTX_NEVER ? 0 : format(&kinds[i], deadline, policy, text);
    sink->source.counts->unsendable += len == 0 && deadline != CCTX_NEVER;
    cctx__sink_set(sink, name, len > 0 ? text : NULL, len);
  }
}
