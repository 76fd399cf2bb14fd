/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `cctx serve`. */
#ifndef HOST_SERVE_OPTIONS_H
#define HOST_SERVE_OPTIONS_H

#include "server.h"

struct serve_options {
  struct server server; /* without its queues */
  const char *listen;
  const char *debug; /* where its page is; NULL: nowhere */
};

/* 0, or a complaint. Give `options` back in either case. */
int serve_options_read(struct serve_options *options, int argc, char **argv);
void serve_options_free(struct serve_options *options);

#endif
