/* SPDX-License-Identifier: Apache-2.0 */
/* The carrier: a context from the fields that came with a request.
 *
 * Each field is read on its own, into memory of a fixed size on this stack; what is
 * malformed or over a bound is counted and left out. Only then is anything derived.
 */
#include <cctx/carrier.h>
#include <cctx/metadata.h>
#include <cctx/value.h>

#include <stdlib.h>
#include <string.h>

#include "baggage.h"

/* Hexadecimal digits of the two ids, with a NUL each. */
enum { TRACE_ID_ROOM = 33, SPAN_ID_ROOM = 17 };

/* The members that were taken. Names and decoded values lie in `bytes`, each with its NUL:
 * a member of n characters has a '=' and ends at a ',' or at the end, so what is
 * written for it is at most one byte longer than what was read. */
struct pairs {
  struct cctx_metadata_pair at[CCTX_BAGGAGE_MEMBERS_MAX];
  size_t n;
  char bytes[CCTX_BAGGAGE_BYTES_MAX + 1];
  size_t used;
};

static struct cctx__text get_field(const struct cctx_carrier *carrier, const char *name) {
  struct cctx__text text = {NULL, 0};
  text.at = carrier->get(carrier->arg, name, &text.len);
  return text;
}

/* ---- The deadline ---- */

/* Takes what `carrier` says of a deadline into `report`. Returns the message of the
 * cause, or NULL if there is no deadline. */
static const char *read_deadline(const struct cctx_carrier *carrier, int64_t timeout_max,
                                 struct cctx_extracted *report) {
  const char *message = NULL;
  int64_t read;
  struct cctx__text field = get_field(carrier, "grpc-timeout");
  if (field.at && cctx_grpc_timeout_parse(field.at, field.len, &read) == 0) {
    report->deadline = cctx_deadline_after(read);
    message = "grpc-timeout of the caller";
  } else if (field.at) {
    report->refused++;
  }
  field = get_field(carrier, "cctx-deadline");
  if (field.at && cctx_boot_deadline_parse(field.at, field.len, &read) != 0) {
    report->refused++;
  } else if (field.at && read < report->deadline) {
    report->deadline = read;
    message = "cctx-deadline of the caller";
  }
  int64_t latest = cctx_deadline_after(timeout_max);
  if (report->deadline == CCTX_NEVER) return NULL;
  if (report->deadline <= latest) return message;
  report->deadline = latest;
  return "the caller's deadline, cut to the longest one that is allowed";
}

/* ---- The trace ---- */

static void read_trace(const struct cctx_carrier *carrier, struct cctx_extracted *report) {
  struct cctx__text field = get_field(carrier, "traceparent");
  if (field.at && cctx_traceparent_parse(field.at, field.len, &report->trace) != 0)
    report->refused++;
}

static bool has_trace(const struct cctx_trace *trace) {
  static const struct cctx_trace none;
  return memcmp(trace->trace_id, none.trace_id, sizeof none.trace_id) != 0;
}

/* A child of `parent` with the values of `trace`; NULL for lack of memory. */
static cctx *with_trace(cctx *parent, const struct cctx_trace *trace) {
  char text[CCTX_TRACEPARENT_LEN + 1];
  cctx_key *trace_id = cctx_key_named("trace_id");
  cctx_key *span_id = cctx_key_named("span_id");
  cctx_key *flags = cctx_key_named("trace_flags");
  if (!trace_id || !span_id || !flags) return NULL;
  cctx_traceparent_format(trace, text);
  const struct cctx_entry entries[] = {
      {trace_id, cctx_bytes(text + 3, TRACE_ID_ROOM - 1)},
      {span_id, cctx_bytes(text + 3 + TRACE_ID_ROOM, SPAN_ID_ROOM - 1)},
      {flags, cctx_int(trace->flags)},
  };
  return cctx_with_values(parent, entries, sizeof entries / sizeof *entries);
}

/* ---- The baggage ---- */

/* Where the pair of this name is, or `pairs->n`. */
static size_t find_pair(const struct pairs *pairs, struct cctx__text name) {
  size_t i = 0;
  while (i < pairs->n && (strlen(pairs->at[i].name) != name.len ||
                          memcmp(pairs->at[i].name, name.at, name.len) != 0))
    i++;
  return i;
}

static char *copy_text(struct pairs *pairs, struct cctx__text text) {
  char *copy = memcpy(pairs->bytes + pairs->used, text.at, text.len);
  copy[text.len] = '\0';
  pairs->used += text.len + 1;
  return copy;
}

static void take_member(struct pairs *pairs, const struct cctx__member *member) {
  size_t i = find_pair(pairs, member->name);
  struct cctx_metadata_pair *pair = &pairs->at[i];
  if (i == pairs->n) {
    pairs->n++;
    pair->scope = CCTX_REQUEST;
    pair->name = copy_text(pairs, member->name);
  }
  char *value = pairs->bytes + pairs->used;
  pair->len = cctx__baggage_decode(member->value, value);
  value[pair->len] = '\0';
  pair->value = value;
  pairs->used += pair->len + 1;
}

static void read_baggage(const struct cctx_carrier *carrier, struct pairs *pairs,
                         struct cctx_extracted *report) {
  struct cctx__baggage baggage = {get_field(carrier, "baggage")};
  struct cctx__member member;
  int found;
  if (!baggage.rest.at) return;
  if (baggage.rest.len > CCTX_BAGGAGE_BYTES_MAX) {
    report->refused++;
    return;
  }
  for (unsigned n = 0; (found = cctx__baggage_next(&baggage, &member)) != 0; n++) {
    if (found < 0 || n >= CCTX_BAGGAGE_MEMBERS_MAX)
      report->refused++;
    else
      take_member(pairs, &member);
  }
}

/* Derive a child with `pairs`, without those that metadata refuses or `parent` has no room
 * for: at most one try for each of them. */
static int with_pairs(cctx **out, cctx *parent, struct pairs *pairs,
                      struct cctx_extracted *report) {
  size_t bad = 0;
  int rc;
  while ((rc = cctx_with_metadata(out, parent, pairs->at, pairs->n, &bad)) != 0) {
    if (rc == CCTX_ENOMEM || bad >= pairs->n) return CCTX_ENOMEM;
    pairs->n--;
    memmove(&pairs->at[bad], &pairs->at[bad + 1], (pairs->n - bad) * sizeof pairs->at[0]);
    report->refused++;
  }
  report->pairs = (unsigned)pairs->n;
  return CCTX_OK;
}

/* ---- Extract ---- */

/* The steps of the derivation. Each gives back the context before it: its child keeps
 * what it needs. */
static cctx *derive(cctx *parent, struct pairs *pairs, const char *message,
                    struct cctx_extracted *report) {
  cctx *base =
      has_trace(&report->trace) ? with_trace(parent, &report->trace) : cctx_ref(parent);
  cctx *ctx = NULL;
  if (!base) return NULL;
  int rc = with_pairs(&ctx, base, pairs, report);
  cctx_unref(base);
  if (rc != 0 || !message) return ctx;
  base = ctx;
  ctx = cctx_with_deadline_at(base, report->deadline, message, "carrier", 0);
  cctx_unref(base);
  return ctx;
}

int cctx_extract(cctx **out, cctx *parent, const struct cctx_carrier *carrier,
                 int64_t timeout_max, struct cctx_extracted *report) {
  struct cctx_extracted found = {.deadline = CCTX_NEVER};
  struct pairs pairs;
  pairs.n = pairs.used = 0;
  read_trace(carrier, &found);
  read_baggage(carrier, &pairs, &found);
  const char *message = read_deadline(carrier, timeout_max, &found);
  cctx *ctx = derive(parent, &pairs, message, &found);
  if (!ctx) return CCTX_ENOMEM;
  *out = ctx;
  if (report) *report = found;
  return CCTX_OK;
}

/* ---- The environment ---- */

/* Longest name of a variable that is looked up. */
enum { NAME_ROOM = 128 };

/* OpenTelemetry's rule: upper case, an underscore for everything else, and one in front of
 * a digit or of nothing. */
static bool write_variable_name(const char *name, char out[NAME_ROOM]) {
  size_t n = 0;
  if (*name == '\0' || cctx__is_digit(*name)) out[n++] = '_';
  for (; *name != '\0'; name++) {
    char c = *name;
    if (n + 1 >= NAME_ROOM) return false;
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (!cctx__is_digit(c) && !(c >= 'A' && c <= 'Z')) c = '_';
    out[n++] = c;
  }
  out[n] = '\0';
  return true;
}

/* A relative time has no beginning in a variable that processes inherit: it would start anew in
 * each of them. CCTX_DEADLINE is absolute. */
static const char *get_variable(void *arg, const char *name, size_t *len) {
  char variable[NAME_ROOM];
  (void)arg;
  if (strcmp(name, "grpc-timeout") == 0) return NULL;
  const char *value = write_variable_name(name, variable) ? getenv(variable) : NULL;
  if (value) *len = strlen(value);
  return value;
}

struct cctx_carrier cctx_environment(void) {
  return (struct cctx_carrier){get_variable, NULL};
}
