/* SPDX-License-Identifier: Apache-2.0 */
/* Managers, for those who show them. */
#ifndef CCTX__MANAGER_H
#define CCTX__MANAGER_H

#include "session.h"

/* All bindings of all managers. */
void cctx__managers_show(struct gallery *gallery);

/* How many unbinds of any manager found nothing. */
uint64_t cctx__managers_stale(void);

#endif
