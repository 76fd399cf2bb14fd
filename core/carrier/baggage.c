/* SPDX-License-Identifier: Apache-2.0 */
/* W3C Baggage: strict reading of what a stranger sent, cautious writing. */
#include "baggage.h"

#include <string.h>

#include "percent.h"
#include "send.h"

/* What a reader must take, and what others read of one member (OpenTelemetry). */
enum { SEND_BYTES_MAX = 8192, SEND_MEMBERS_MAX = 64, SEND_MEMBER_MAX = 4096 };

/* ---- Reading ---- */

static bool is_token(struct cctx__text text) {
  for (size_t i = 0; i < text.len; i++)
    if (!cctx__is_token_char(text.at[i])) return false;
  return text.len > 0;
}

/* What stands before the first `mark`, or all of it. */
static struct cctx__text cut_at(struct cctx__text text, char mark) {
  const char *end = text.len ? memchr(text.at, mark, text.len) : NULL;
  if (end) text.len = (size_t)(end - text.at);
  return text;
}

static bool read_member(struct cctx__text text, struct cctx__text *name,
                        struct cctx__text *value) {
  struct cctx__text pair = cut_at(text, ';');
  struct cctx__text before = cut_at(pair, '=');
  if (before.len == pair.len) return false;
  *name = cctx__trim(before.at, before.len);
  *value = cctx__trim(before.at + before.len + 1, pair.len - before.len - 1);
  return is_token(*name) && cctx__percent_check(*value);
}

/* Take the next member off `rest`: false at the end. Empty members are skipped. */
static bool next_member(struct cctx__text *rest, struct cctx__text *member) {
  while (rest->len > 0) {
    struct cctx__text raw = cut_at(*rest, ',');
    size_t taken = raw.len < rest->len ? raw.len + 1 : raw.len;
    rest->at += taken;
    rest->len -= taken;
    *member = cctx__trim(raw.at, raw.len);
    if (member->len > 0) return true;
  }
  return false;
}

static void read_members(struct cctx__text field, struct cctx__harvest *harvest,
                         size_t *members) {
  struct cctx__text member, name, value;
  while (next_member(&field, &member)) {
    if ((*members)++ >= CCTX_BAGGAGE_MEMBERS_MAX)
      harvest->counts->too_big++;
    else if (!read_member(member, &name, &value))
      harvest->counts->malformed++;
    else
      cctx__harvest_take(harvest, CCTX__RANK_BAGGAGE, name, value, CCTX__PERCENT_TEXT);
  }
}

/* The bound holds for all values together; one that is over it is not looked into. */
void cctx__baggage_read(const struct cctx__source *source, struct cctx__harvest *harvest) {
  size_t cursor = 0, bytes = 0, members = 0;
  struct cctx__text field;
  while (cctx__source_next(source, "baggage", &cursor, &field)) {
    if (field.len > CCTX_BAGGAGE_BYTES_MAX - bytes) {
      harvest->counts->too_big++;
      continue;
    }
    bytes += field.len;
    read_members(field, harvest, &members);
  }
}

/* ---- Writing ---- */

void cctx__baggage_write(const cctx *ctx, const struct cctx_policy *policy,
                         struct cctx__sink *sink) {
  char out[SEND_BYTES_MAX + 1];
  size_t used = 0, members = 0;
  struct cctx__sending sending = cctx__sending_begin(ctx, policy, sink->source.counts);
  struct cctx__pair pair;
  while (cctx__sending_next(&sending, CCTX_REQUEST, &pair)) {
    size_t len = pair.name.len + 1 + cctx__percent_length(pair.value);
    if (members == SEND_MEMBERS_MAX || len > SEND_MEMBER_MAX ||
        len + (used > 0) > SEND_BYTES_MAX - used) {
      sink->source.counts->unsendable++;
      continue;
    }
    if (used > 0) out[used++] = ',';
    memcpy(out + used, pair.name.at, pair.name.len);
    out[used + pair.name.len] = '=';
    cctx__percent_encode(pair.value, out + used + pair.name.len + 1);
    used += len;
    members++;
  }
  out[used] = '\0';
  cctx__sink_set(sink, "baggage", used > 0 ? out : NULL, used);
}
