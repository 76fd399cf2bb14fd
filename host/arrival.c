/* SPDX-License-Identifier: Apache-2.0 */
/* Arrivals: how long a connection may take until a request of it has arrived whole. */
#include "arrival.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

struct arrival {
  struct due due; /* first: it is found by this */
  int fd;
  int64_t timeout;
};

static _Atomic uint64_t missed;

/* The I/O thread finds the end of what the client sends, and closes it. */
static void shut(struct due *due) {
  atomic_fetch_add(&missed, 1);
  shutdown(((struct arrival *)(void *)due)->fd, SHUT_RDWR);
}

struct arrival *arrival_new(int fd, int64_t timeout) {
  struct arrival *arrival = calloc(1, sizeof *arrival);
  if (!arrival) return NULL;
  arrival->due.fire = shut;
  arrival->fd = fd;
  arrival->timeout = timeout;
  arrival_begin(arrival);
  return arrival;
}

void arrival_free(struct arrival *arrival) {
  arrival_end(arrival);
  free(arrival);
}

void arrival_end(struct arrival *arrival) {
  if (arrival) due_remove(&arrival->due);
}

void arrival_begin(struct arrival *arrival) {
  if (!arrival) return;
  due_remove(&arrival->due);
  due_add(&arrival->due, cctx_deadline_after(arrival->timeout));
}

uint64_t arrival_missed(void) { return atomic_load(&missed); }
