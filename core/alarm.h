/* SPDX-License-Identifier: Apache-2.0 */
/* A file descriptor that becomes readable at a time. */
#ifndef CCTX__ALARM_H
#define CCTX__ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

/* Belongs to the process that made it: in the child of a fork it counts as not made. Every
 * field is guarded by the lock. */
struct alarm {
  int fd; /* -1: not made */
  unsigned epoch;
  int64_t due;      /* when it rings, by cctx_now(); INT64_MIN: now; CCTX_NEVER */
  struct list link; /* in the list of all that are made, for when the clock is set */
};

void cctx__alarm_init(struct alarm *alarm);
bool cctx__alarm_is_made(const struct alarm *alarm);

/* The descriptor, made if need be; -1 if the system has none. */
int cctx__alarm_fd(struct alarm *alarm);

/* Readable from `due` on, and until it is set again. Does nothing for one that is not made. */
void cctx__alarm_set(struct alarm *alarm, int64_t due);

void cctx__alarm_close(struct alarm *alarm);

/* How many forks lie between this process and the one that loaded the library. */
unsigned cctx__fork_epoch(void);

#endif
