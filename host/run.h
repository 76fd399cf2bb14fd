/* SPDX-License-Identifier: Apache-2.0 */
/* A run: one script, its arguments, and the context it runs under. */
#ifndef HOST_RUN_H
#define HOST_RUN_H

#include <cctx.h>

struct run {
  char **argv; /* argv[0] is the file */
  int argc;
  cctx *ctx; /* owned by run_command */
};

/* Run it in its language. Each returns the exit status of the script; what comes of a
 * deadline that was met is the caller's. */
int run_lua(const struct run *run);
int run_python(const struct run *run);

/* Arm the alarm for the deadline of `run`, if it has one. false, with a complaint, if the
 * system has no timers. */
bool run_arm(const struct run *run);

/* The one sentence for a script that the deadline stopped. */
void run_tell_deadline(const struct run *run);

#endif
