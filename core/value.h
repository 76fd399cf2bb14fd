/* SPDX-License-Identifier: Apache-2.0 */
/* The values visible from a context, one by one. */
#ifndef CCTX__VALUE_H
#define CCTX__VALUE_H

#include "context.h"
#include "entries.h"

/* Nearest first, each key once. */
struct visible {
  const cctx *ctx, *at;
  size_t left;
};

struct visible cctx__visible(const cctx *ctx);
const struct entry *cctx__visible_next(struct visible *from); /* NULL: the end */

#endif
