/* SPDX-License-Identifier: Apache-2.0 */
/* A context in words, and node by node. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "entries.h"
#include "response.h"
#include "stop.h"

/* What has been written, and what would have been. */
struct text {
  char *out;
  size_t size, len;
};

static void add(struct text *text, const char *word) {
  for (; *word; word++, text->len++)
    if (text->len + 1 < text->size) text->out[text->len] = *word;
}

static void add_state(struct text *text, const cctx *ctx) {
  char left[48];
  int status = cctx_err(ctx);
  add(text, status ? cctx_status_word(status) : "live");
  if (status || cctx_deadline(ctx) == CCTX_NEVER) return;
  snprintf(left, sizeof left, ", %.3f s left", (double)cctx_remaining(ctx) / 1e9);
  add(text, left);
}

static void add_keys(struct text *text, const struct entries *bag) {
  add(text, "(");
  for (size_t i = 0; i < bag->n; i++) {
    if (i > 0) add(text, ", ");
    add(text, bag->at[i].key->name);
  }
  add(text, ")");
}

/* The first node that bears its mark, and that can be canceled. */
static bool is_request(const cctx *at) {
  return at->stop && at->mark && at->parent && at->parent->mark != at->mark;
}

static const char *kind_of(const cctx *at) {
  if (at == cctx_background()) return "background";
  if (at == cctx_todo()) return "todo";
  if (at->kept_n > 0 && !cctx__has_response(at)) return "merge";
  if (at->parent == NULL) return "detached";
  if (is_request(at)) return "request";
  if (at->stop && at->stop->delay > 0) return "grace";
  if (at->stop) return at->stop->limit != CCTX_NEVER ? "deadline" : "cancel";
  if (at->bag) return "value";
  if (at->kept_n > 0) return "response";
  return at->pairs ? "metadata" : "session";
}

size_t cctx_string(const cctx *ctx, char *out, size_t size) {
  struct text text = {out, size, 0};
  assert(cctx__is_live(ctx) && "cctx_string: no context, or one given back");
  add_state(&text, ctx);
  for (const cctx *at = ctx; at; at = at->parent) {
    add(&text, at == ctx ? ": " : " < ");
    add(&text, kind_of(at));
    if (strcmp(kind_of(at), "value") == 0) add_keys(&text, at->bag);
  }
  if (size > 0) out[text.len < size ? text.len : size - 1] = '\0';
  return text.len;
}

/* Of a key that was set twice the later counts. */
static size_t count_keys(const struct entries *bag) {
  size_t n = 0;
  for (size_t i = 0; bag && i < bag->n; i++)
    if (cctx__entries_find(bag, bag->at[i].id) == &bag->at[i].value) n++;
  return n;
}

void cctx_node(const cctx *ctx, struct cctx_node *out) {
  assert(cctx__is_live(ctx) && "cctx_node: no context, or one given back");
  *out = (struct cctx_node){kind_of(ctx), ctx->parent, count_keys(ctx->bag),
                            ctx->pairs != NULL};
}
