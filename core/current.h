/* SPDX-License-Identifier: Apache-2.0 */
/* What is current, for those who call foreign code. */
#ifndef CCTX__CURRENT_H
#define CCTX__CURRENT_H

#include "scope.h"

/* Make background current by `scope`, which was reserved as a new SCOPE_STACK; its token is for
 * cctx_detach. False, and nothing has changed, if this thread has no stack and there is no
 * memory for one. */
bool cctx__enter_background(struct scope *scope);

/* Call foreign code that works for nobody, with background current. Cannot fail. */
void cctx__call_for_nobody(void (*fn)(void *), void *arg);

#endif
