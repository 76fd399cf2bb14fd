/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: the thread that makes all calls of this process, and stops them. */
#ifndef HOST_FETCH_ENGINE_H
#define HOST_FETCH_ENGINE_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "fetch.h"

/* A call in the hands of the engine, at the head of a fetch. */
struct fetch_job {
  CURL *easy;
  cctx *ctx; /* stops it; the maker keeps a reference until `end` */

  /* Called once, by the engine's thread, which knows the job no more then. `code` is
   * libcurl's; or `stopped`: its context is done, or it was dropped, or the engine ends. */
  void (*end)(struct fetch_job *job, CURLcode code, bool stopped);

  _Atomic bool dropped;   /* nobody waits for it: set, then call fetch_engine_look */
  cctx_observer observer; /* these are the engine's */
  struct fetch_job *next, **link;
};

/* Give it to the thread, which is started at the first call: NULL, or the reason why
 * not. */
const char *fetch_engine_take(struct fetch_job *job);

/* Let the thread look for jobs that were dropped. */
void fetch_engine_look(void);

#endif
