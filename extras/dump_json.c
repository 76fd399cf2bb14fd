/* SPDX-License-Identifier: Apache-2.0 */
/* A context as JSON (RFC 8259). */
#include "dump.h"

#include <math.h>
#include <stdio.h>

/* ---- Strings ---- */

/* The length of the character of UTF-8 at `at` (RFC 3629, 4), of at most `left` bytes; 0 if it
 * is none. */
static size_t character(const unsigned char *at, size_t left) {
  unsigned char low = 0x80, high = 0xbf;
  size_t len = at[0] < 0x80   ? 1
               : at[0] < 0xc2 ? 0
               : at[0] < 0xe0 ? 2
               : at[0] < 0xf0 ? 3
                              : 4;
  if (at[0] > 0xf4 || len > left) return 0;
  if (at[0] == 0xe0) low = 0xa0;
  if (at[0] == 0xed) high = 0x9f;
  if (at[0] == 0xf0) low = 0x90;
  if (at[0] == 0xf4) high = 0x8f;
  for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
    if (at[i] < low || at[i] > high) return 0;
  return len;
}

static bool is_plain(unsigned char c) {
  return c >= 0x20 && c != 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' &&
         c != '&';
}

void cctx_dump_json_string(const char *bytes, size_t len, cctx_dump_write *write,
                           void *arg) {
  const unsigned char *at = (const unsigned char *)bytes;
  size_t begin = 0, i = 0;
  char escape[8];
  write(arg, "\"", 1);
  while (i < len) {
    size_t n = character(at + i, len - i);
    if (n > 1 || (n == 1 && is_plain(at[i]))) {
      i += n;
      continue;
    }
    write(arg, bytes + begin, i - begin);
    snprintf(escape, sizeof escape, "\\u%04x", n == 1 ? at[i] : 0xfffdu);
    write(arg, escape, 6);
    begin = ++i;
  }
  write(arg, bytes + begin, len - begin);
  write(arg, "\"", 1);
}

/* A text that is cut ends in an ellipsis. */
static void put_cut(const struct sink *sink, const char *bytes, size_t len) {
  char text[CCTX_DUMP_BYTES + 3];
  size_t cut = cctx__cut(bytes, len);
  memcpy(text, bytes, cut);
  if (cut < len) memcpy(text + cut, "\xe2\x80\xa6", 3);
  cctx_dump_json_string(text, cut < len ? cut + 3 : cut, sink->write, sink->arg);
}

static void put_member(const struct sink *sink, const char *name, const char *text) {
  cctx__put(sink, name);
  put_cut(sink, text, strlen(text));
}

/* ---- Values ---- */

static void put_double(const struct sink *sink, double number) {
  if (isfinite(number))
    cctx__put_double(sink, number);
  else
    cctx__put(sink, isnan(number) ? "\"nan\"" : number > 0 ? "\"inf\"" : "\"-inf\"");
}

static void put_variant(const struct sink *sink, const cctx_variant *value) {
  cctx__put(sink, value->type == CCTX_POINTER ? ",\"type\":" : ",\"value\":");
  switch (value->type) {
  case CCTX_NIL: cctx__put(sink, "null"); break;
  case CCTX_BOOL: cctx__put(sink, value->as.b ? "true" : "false"); break;
  case CCTX_INT: cctx__put_number(sink, value->as.i); break;
  case CCTX_DOUBLE: put_double(sink, value->as.d); break;
  case CCTX_STRING: put_cut(sink, value->as.s.bytes, value->as.s.len); break;
  case CCTX_POINTER: cctx__put(sink, "\"pointer\""); break;
  }
}

static void put_values(const struct sink *sink, const cctx *ctx, size_t n) {
  cctx_variant value;
  cctx_key *key;
  for (size_t i = 0; i < n && cctx_value_at(ctx, i, &key, &value) == 0; i++) {
    put_member(sink, i == 0 ? ",\"values\":[{\"name\":" : ",{\"name\":", key->name);
    if (key->flags & CCTX_KEY_SECRET)
      cctx__put(sink, ",\"secret\":true");
    else if (sink->flags & CCTX_DUMP_VALUES)
      put_variant(sink, &value);
    cctx__put(sink, "}");
  }
  if (n > 0) cctx__put(sink, "]");
}

/* ---- Metadata ---- */

static void put_pair(const struct sink *sink, const struct cctx_metadata_pair *pair) {
  put_member(sink, "{\"name\":", pair->name);
  put_member(sink, ",\"scope\":", cctx_metadata_scope_word((int)pair->scope));
  if (sink->flags & CCTX_DUMP_VALUES) {
    cctx__put(sink, ",\"value\":");
    put_cut(sink, pair->value, pair->len);
  }
  cctx__put(sink, "}");
}

/* How many pairs did not fit. */
static size_t put_metadata(const struct sink *sink, const cctx *ctx,
                           const struct cctx_node *node) {
  struct cctx_metadata_pair pair;
  size_t n = 0;
  if (!node->metadata) return 0;
  cctx__put(sink, ",\"metadata\":[");
  for (size_t i = 0; cctx__next_set(ctx, node, &i, &pair);)
    if (n++ < CCTX_DUMP_ITEMS) {
      if (n > 1) cctx__put(sink, ",");
      put_pair(sink, &pair);
    }
  for (size_t i = 0; cctx__next_removed(ctx, node, &i, &pair);)
    if (n++ < CCTX_DUMP_ITEMS) {
      put_member(sink, n > 1 ? ",{\"name\":" : "{\"name\":", pair.name);
      cctx__put(sink, ",\"removed\":true}");
    }
  cctx__put(sink, "]");
  return n > CCTX_DUMP_ITEMS ? n - CCTX_DUMP_ITEMS : 0;
}

/* ---- The path ---- */

static const char *status_word(const cctx *ctx) {
  int status = cctx_err(ctx);
  return status ? cctx_status_word(status) : "live";
}

static void put_node(const struct sink *sink, const cctx *ctx) {
  struct cctx_node node;
  int64_t deadline;
  cctx_node(ctx, &node);
  size_t n = node.values_n < CCTX_DUMP_ITEMS ? node.values_n : CCTX_DUMP_ITEMS;
  put_member(sink, "{\"kind\":", node.kind);
  put_member(sink, ",\"status\":", status_word(ctx));
  if (cctx__own_deadline(ctx, &node, &deadline) && deadline != CCTX_NEVER) {
    cctx__put(sink, ",\"remaining\":");
    cctx__put_seconds(sink, cctx_remaining(ctx));
  }
  put_values(sink, ctx, n);
  size_t more = put_metadata(sink, ctx, &node) + node.values_n - n;
  cctx__put(sink, ",\"more\":");
  cctx__put_number(sink, (int64_t)more);
  cctx__put(sink, "}");
}

static void put_cause(const struct sink *sink, const cctx *ctx) {
  struct cctx_cause cause;
  cctx__put(sink, ",\"cause\":");
  if (cctx_cause(ctx, &cause) == 0) {
    cctx__put(sink, "null");
    return;
  }
  put_member(sink, "{\"message\":", cause.message);
  put_member(sink, ",\"file\":", cause.file);
  cctx__put(sink, ",\"line\":");
  cctx__put_number(sink, cause.line);
  cctx__put(sink, "}");
}

void cctx_dump_json(const cctx *ctx, unsigned flags, cctx_dump_write *write, void *arg) {
  const struct sink sink = {write, arg, flags};
  struct path path;
  cctx__path_of(ctx, &path);
  put_member(&sink, "{\"status\":", status_word(ctx));
  cctx__put(&sink, ",\"remaining\":");
  if (cctx_deadline(ctx) == CCTX_NEVER)
    cctx__put(&sink, "null");
  else
    cctx__put_seconds(&sink, cctx_remaining(ctx));
  put_cause(&sink, ctx);
  cctx__put(&sink, ",\"more\":");
  cctx__put_number(&sink, (int64_t)path.more);
  cctx__put(&sink, ",\"path\":[");
  for (size_t i = path.n; i-- > 0;) {
    put_node(&sink, path.at[i]);
    if (i > 0) cctx__put(&sink, ",");
  }
  cctx__put(&sink, "]}");
}
