/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a request, which all that is derived from its context bears. */
#ifndef CCTX__MARK_H
#define CCTX__MARK_H

#include <stdatomic.h>

#include "site.h"

/* Part of the node that began the request; the node lives as long as any that bears the mark. */
struct mark {
  const struct mark *outer; /* of the request inside which this one began; NULL: none */
  atomic_bool ended;        /* false to true once; whoever sees it true may read: */
  struct site end;          /* where */
};

#endif
