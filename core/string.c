/* SPDX-License-Identifier: Apache-2.0 */
/* A context in words. */
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
  add(text, "value(");
  for (size_t i = 0; i < bag->n; i++) {
    if (i > 0) add(text, ", ");
    add(text, bag->at[i].key->name);
  }
  add(text, ")");
}

static void add_node(struct text *text, const cctx *at) {
  if (at == cctx_background())
    add(text, "background");
  else if (at == cctx_todo())
    add(text, "todo");
  else if (at->kept_n > 0 && !cctx__has_response(at))
    add(text, "merge");
  else if (at->parent == NULL)
    add(text, "detached");
  else if (at->stop)
    add(text, at->stop->delay > 0             ? "grace"
              : at->stop->limit != CCTX_NEVER ? "deadline"
                                              : "cancel");
  else if (at->bag)
    add_keys(text, at->bag);
  else if (at->kept_n > 0)
    add(text, "response");
  else
    add(text, at->pairs ? "metadata" : "session");
}

size_t cctx_string(const cctx *ctx, char *out, size_t size) {
  struct text text = {out, size, 0};
  assert(cctx__is_live(ctx) && "cctx_string: no context, or one given back");
  add_state(&text, ctx);
  for (const cctx *at = ctx; at; at = at->parent) {
    add(&text, at == ctx ? ": " : " < ");
    add_node(&text, at);
  }
  if (size > 0) out[text.len < size ? text.len : size - 1] = '\0';
  return text.len;
}
