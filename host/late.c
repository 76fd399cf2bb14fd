/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose worker is late: their clients are answered without it. */
#define _GNU_SOURCE 1
#include "late.h"

#include <stddef.h>

#include "queue.h"
#include "watch.h"

static void answer_late(struct due *due) {
  struct request *request =
      (struct request *)(void *)((char *)due - offsetof(struct request, due));
  watch_end(request);
  request->late = true;
  bool waits = queue_withdraw(request);
  request->resume(request);
  if (waits) request_let_go(request);
}

void late_begin(struct request *request) {
  int64_t deadline = cctx_deadline(request->ctx);
  bool ever = deadline <= CCTX_NEVER - LATE_GRACE;
  request->due.fire = answer_late;
  due_add(&request->due, ever ? deadline + LATE_GRACE : CCTX_NEVER);
}

void late_end(struct request *request) { due_remove(&request->due); }
