/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: the pairs of a context that a policy lets out. */
#ifndef CCTX__SEND_H
#define CCTX__SEND_H

#include <cctx/carrier.h>

#include "metadata.h"
#include "text.h"

/* One way through a context's metadata. The budget of the policy is spent anew in each. */
struct cctx__sending {
  const struct pairs *table; /* NULL: none */
  const struct cctx_policy *policy;
  struct cctx_carrier_counts *counts;
  bool limited; /* whether the policy has a list or a budget */
  size_t i;     /* of the next pair */
  size_t pairs_left, bytes_left;
};

/* A pair, under the name that the carrier is told, each with a NUL behind it. Borrowed from the
 * context and policy. */
struct cctx__pair {
  struct cctx__text name, value;
};

struct cctx__sending cctx__sending_begin(const cctx *ctx, const struct cctx_policy *policy,
                                         struct cctx_carrier_counts *counts);

/* The name of pair `i` that the carrier is told. */
struct cctx__text cctx__sending_name(const struct cctx__sending *sending, size_t i);

/* Whether a limited policy lets the pair out, under what name; if not, it is counted. */
bool cctx__sending_lets(struct cctx__sending *sending, struct cctx__pair *pair);

/* The next pair of this scope that may be sent; what may not is counted. */
static inline bool cctx__sending_next(struct cctx__sending *sending,
                                      enum cctx_metadata_scope scope,
                                      struct cctx__pair *out) {
  const struct pairs *table = sending->table;
  while (table && sending->i < table->n) {
    const struct pair *pair = &table->at[sending->i++];
    if (pair->scope != scope) continue;
    out->name = (struct cctx__text){pair->text, pair->name_len};
    out->value = (struct cctx__text){cctx__pair_value(pair), pair->len};
    if (!sending->limited || cctx__sending_lets(sending, out)) return true;
  }
  return false;
}

#endif
