/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the server, on stderr. Nothing a stranger sent can begin a line of it. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "request.h"

/* Write lines as JSON objects. Before any thread starts. */
void log_set_json(bool on);

/* One line for a request that is answered, which is counted, too. */
void log_access(const struct request *request);

/* What the library says, about no request in particular: a cctx_log_fn. */
void log_library(void *unused, const char *text);

/* What went wrong with a request, which may have many lines, such as a traceback. */
void log_error(const struct request *request, const char *text);

#endif
