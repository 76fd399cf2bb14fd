/* SPDX-License-Identifier: Apache-2.0 */
/* libaudit: a line for each event, with the request that it happened for.
 *
 *     tenant=acme trace=r17 remaining=1500ms order placed
 *
 * A plain C library, used by C, Lua and Python alike. It knows no interpreter, and nobody
 * passes it a request: it asks cctx_current().
 */
#ifndef AUDIT_H
#define AUDIT_H

#include <cctx.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { AUDIT_LINE_MAX = 512 };

/** Append to `path` from here on; NULL: to standard error again. 0, or an errno. Not while
 *  another thread writes. */
CCTX_API int audit_open(const char *path);

/** The line for `event`, without its newline, cut to AUDIT_LINE_MAX - 1 bytes. */
CCTX_API void audit_line(char out[AUDIT_LINE_MAX], const char *event);

/** Write it, in one piece. 0, or an errno. Any thread, with or without an interpreter. */
CCTX_API int audit_write(const char *event);

#ifdef __cplusplus
}
#endif
#endif
