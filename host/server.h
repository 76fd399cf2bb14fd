/* SPDX-License-Identifier: Apache-2.0 */
/* The server: what the command line asked for, read by every thread and written by none. */
#ifndef HOST_SERVER_H
#define HOST_SERVER_H

#include "crew.h"
#include "options.h"
#include "queue.h"

struct route {
  const char *path;
  const char *file;
  enum language language;
};

struct paths {
  const char **at;
  size_t n;
};

struct server {
  struct route *routes;
  size_t routes_n;
  unsigned workers; /* threads for each language */
  struct cctx_backup_options backup;
  bool guard; /* stop Lua handlers that do not ask */
  unsigned connections_max, queue_max;
  unsigned body_memory;      /* MiB, for the bodies of all requests */
  int64_t idle_timeout;      /* ns until a request has arrived whole */
  int64_t timeout_max;       /* ns that a request may take */
  int64_t grace;             /* ns that a shutdown leaves what runs */
  struct cctx_policy policy; /* of what clients send */
  struct paths lua_paths, python_paths;
  bool debug_values; /* the debug page shows values, too */
  struct queue lua, python;
};

/* ---- What the parts offer; each explains a failure in one sentence in `why`. ---- */

/* The HTTP server on `fd`, a bound socket, which it takes. */
bool http_start(struct server *server, int fd, char *why, size_t size);
void http_quiesce(void); /* accept no more connections, and close each with its answer */
void http_stop(void);    /* after everything is answered */
size_t http_connections(void);
uint64_t http_timeouts(void); /* connections that were closed as too slow */

/* The debug page on `fd`, likewise. It may be stopped if it never started. */
bool debug_start(struct server *server, int fd, char *why, size_t size);
void debug_stop(void);

/* Crews that load the routes of their language; the caller owns `crew`. */
bool lua_workers_start(struct server *server, struct crew *crew);
bool python_workers_start(struct server *server, struct crew *crew);

/* Python, for its workers or for the Lua handlers' extensions. The lock is released. */
bool python_open(struct server *server, char *why, size_t size);
void python_close(void);

#endif
