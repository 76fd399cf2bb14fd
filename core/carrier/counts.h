/* SPDX-License-Identifier: Apache-2.0 */
/* Counts: those of one call, added to those of its policy. */
#ifndef CCTX__COUNTS_H
#define CCTX__COUNTS_H

#include <cctx/carrier_policy.h>

/* Add what one call counted, on any thread. */
static inline void cctx__counts_add(struct cctx_carrier_counts *sum,
                                    const struct cctx_carrier_counts *call) {
  if (!sum) return;
  for (size_t i = 0; i < sizeof *sum / sizeof(uint64_t); i++) {
    uint64_t more = ((const uint64_t *)call)[i];
    /* relaxed: a count orders nothing; pairs with the load of cctx_carrier_count */
    if (more) __atomic_fetch_add(&((uint64_t *)sum)[i], more, __ATOMIC_RELAXED);
  }
}

#endif
