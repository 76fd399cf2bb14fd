/* SPDX-License-Identifier: Apache-2.0 */
/* Strict mode: misuse is said aloud. */
#ifndef CCTX__STRICT_H
#define CCTX__STRICT_H

#include <stdbool.h>

bool cctx__is_strict(void);

/* Say to the log what was done wrongly, and where. Called with no lock held, and only in strict
 * mode. */
void cctx__misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
