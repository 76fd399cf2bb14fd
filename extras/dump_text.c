/* SPDX-License-Identifier: Apache-2.0 */
/* A context in lines for people, and as a graph of Graphviz. */
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>

/* Anything but visible ASCII is written as its code, and so are quotes, which end a label. */
static void put_escaped(const struct sink *sink, const char *bytes, size_t len) {
  size_t cut = cctx__cut(bytes, len);
  char code[8];
  for (size_t i = 0; i < cut; i++) {
    unsigned char c = (unsigned char)bytes[i];
    bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '\'';
    snprintf(code, sizeof code, plain ? "%c" : "\\x%02x", c);
    cctx__put(sink, code);
  }
  if (cut < len) cctx__put(sink, "...");
}

static void put_quoted(const struct sink *sink, const char *bytes, size_t len) {
  cctx__put(sink, "=\'");
  put_escaped(sink, bytes, len);
  cctx__put(sink, "\'");
}

/* Between the items of a node, before the first and after the last. */
static void separate(const struct sink *sink, size_t i) {
  cctx__put(sink, i == 0 ? "(" : ", ");
}

static void close_items(const struct sink *sink, size_t n) {
  if (n > CCTX_DUMP_ITEMS) {
    cctx__put(sink, ", ");
    cctx__put_number(sink, (int64_t)(n - CCTX_DUMP_ITEMS));
    cctx__put(sink, " more");
  }
  if (n > 0) cctx__put(sink, ")");
}

/* ---- Values ---- */

static void put_variant(const struct sink *sink, const cctx_variant *value) {
  if (value->type == CCTX_STRING) {
    put_quoted(sink, value->as.s.bytes, value->as.s.len);
    return;
  }
  cctx__put(sink, "=");
  if (value->type == CCTX_INT)
    cctx__put_number(sink, value->as.i);
  else if (value->type == CCTX_DOUBLE)
    cctx__put_double(sink, value->as.d);
  else if (value->type == CCTX_BOOL)
    cctx__put(sink, value->as.b ? "true" : "false");
  else
    cctx__put(sink, value->type == CCTX_NIL ? "nil" : "pointer");
}

static void put_values(const struct sink *sink, const cctx *ctx, size_t n) {
  cctx_variant value;
  cctx_key *key;
  for (size_t i = 0; i < n && i < CCTX_DUMP_ITEMS; i++) {
    if (cctx_value_at(ctx, i, &key, &value) != 0) break;
    separate(sink, i);
    put_escaped(sink, key->name, strlen(key->name));
    if (key->flags & CCTX_KEY_SECRET)
      cctx__put(sink, "=secret");
    else if (sink->flags & CCTX_DUMP_VALUES)
      put_variant(sink, &value);
  }
  close_items(sink, n);
}

/* ---- Metadata ---- */

static void put_pair(const struct sink *sink, const struct cctx_metadata_pair *pair) {
  if (pair->scope != CCTX_REQUEST) {
    cctx__put(sink, cctx_metadata_scope_word((int)pair->scope));
    cctx__put(sink, " ");
  }
  put_escaped(sink, pair->name, strlen(pair->name));
  if (sink->flags & CCTX_DUMP_VALUES) put_quoted(sink, pair->value, pair->len);
}

static void put_metadata(const struct sink *sink, const cctx *ctx,
                         const struct cctx_node *node) {
  struct cctx_metadata_pair pair;
  size_t n = 0;
  for (size_t i = 0; cctx__next_set(ctx, node, &i, &pair); n++) {
    if (n >= CCTX_DUMP_ITEMS) continue;
    separate(sink, n);
    put_pair(sink, &pair);
  }
  for (size_t i = 0; cctx__next_removed(ctx, node, &i, &pair); n++) {
    if (n >= CCTX_DUMP_ITEMS) continue;
    separate(sink, n);
    cctx__put(sink, "without ");
    put_escaped(sink, pair.name, strlen(pair.name));
  }
  close_items(sink, n);
}

/* ---- Nodes ---- */

static void put_status(const struct sink *sink, const cctx *ctx) {
  int status = cctx_err(ctx);
  if (status == 0) return;
  cctx__put(sink, ", ");
  cctx__put(sink, cctx_status_word(status));
}

static void put_left(const struct sink *sink, const cctx *ctx) {
  cctx__put(sink, ", ");
  cctx__put_seconds(sink, cctx_remaining(ctx));
  cctx__put(sink, " s left");
}

static void put_node(const struct sink *sink, const cctx *ctx) {
  struct cctx_node node;
  int64_t deadline;
  cctx_node(ctx, &node);
  cctx__put(sink, node.kind);
  put_values(sink, ctx, node.values_n);
  put_metadata(sink, ctx, &node);
  put_status(sink, ctx);
  if (cctx__own_deadline(ctx, &node, &deadline) && deadline != CCTX_NEVER)
    put_left(sink, ctx);
}

static void put_summary(const struct sink *sink, const cctx *ctx) {
  struct cctx_cause cause;
  int status = cctx_cause(ctx, &cause);
  cctx__put(sink, status ? cctx_status_word(status) : "live");
  if (status == 0 && cctx_deadline(ctx) != CCTX_NEVER) put_left(sink, ctx);
  if (status == 0) return;
  cctx__put(sink, ": ");
  put_escaped(sink, cause.message, strlen(cause.message));
  if (cause.file[0] == '\0') return;
  cctx__put(sink, " (");
  put_escaped(sink, cause.file, strlen(cause.file));
  cctx__put(sink, ":");
  cctx__put_number(sink, cause.line);
  cctx__put(sink, ")");
}

void cctx_dump_text(const cctx *ctx, unsigned flags, cctx_dump_write *write, void *arg) {
  const struct sink sink = {write, arg, flags};
  struct path path;
  cctx__path_of(ctx, &path);
  put_summary(&sink, ctx);
  if (path.more > 0) {
    cctx__put(&sink, "\n... ");
    cctx__put_number(&sink, (int64_t)path.more);
    cctx__put(&sink, " more");
  }
  for (size_t i = path.n, depth = path.more > 0; i-- > 0; depth++) {
    cctx__put(&sink, "\n");
    for (size_t j = 0; j < depth; j++) cctx__put(&sink, "  ");
    put_node(&sink, path.at[i]);
  }
  cctx__put(&sink, "\n");
}

/* ---- The graph ---- */

static void put_name(const struct sink *sink, const cctx *ctx) {
  char name[32];
  snprintf(name, sizeof name, "\"n%" PRIxPTR "\"", (uintptr_t)ctx);
  cctx__put(sink, name);
}

/* In a label a backslash is written twice. */
static void write_label(void *arg, const char *bytes, size_t len) {
  const struct sink *sink = arg;
  for (size_t i = 0; i < len; i++)
    sink->write(sink->arg, bytes[i] == '\\' ? "\\\\" : bytes + i, bytes[i] == '\\' ? 2 : 1);
}

static void put_edge(const struct sink *sink, const cctx *parent, const cctx *ctx) {
  cctx__put(sink, "  ");
  put_name(sink, parent);
  cctx__put(sink, " -> ");
  put_name(sink, ctx);
  cctx__put(sink, "\n");
}

/* What several paths share is said again by each, and in a strict graph counts once. */
void cctx_dump_dot(const cctx *const *contexts, size_t n, unsigned flags,
                   cctx_dump_write *write, void *arg) {
  struct sink sink = {write, arg, flags};
  const struct sink label = {write_label, &sink, flags};
  cctx__put(&sink, "strict digraph cctx {\n  node [shape=box]\n");
  for (size_t i = 0; i < n; i++) {
    struct path path;
    cctx__path_of(contexts[i], &path);
    for (size_t j = path.n; j-- > 0;) {
      cctx__put(&sink, "  ");
      put_name(&sink, path.at[j]);
      cctx__put(&sink, " [label=\"");
      put_node(&label, path.at[j]);
      cctx__put(&sink, "\"]\n");
      if (j + 1 < path.n) put_edge(&sink, path.at[j + 1], path.at[j]);
    }
  }
  cctx__put(&sink, "}\n");
}
