/* SPDX-License-Identifier: Apache-2.0 */
/* The log: where the library says that it is used wrongly. */
#ifndef CCTX_LOG_H
#define CCTX_LOG_H

#include <cctx/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Called with one line in English, without a newline, on the thread that it is about and
 *  with no lock held. It may use the library; what it causes is not logged again. */
typedef void cctx_log_fn(void *arg, const char *message);

/** Send diagnostics to `fn`; NULL, as at the start, is silence. Call it before there is a second
 *  thread. */
CCTX_API void cctx_set_log(cctx_log_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
