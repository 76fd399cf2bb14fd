/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms: one timerfd each, which a deadline makes readable by itself, and a cancellation by
 * setting it to a time that has passed. No thread has to run for either.
 *
 * While a test has stopped the clock, an alarm rings when cctx_clock_set reaches its time.
 *
 * After a fork the child shares the open file with its parent, so setting it there would
 * ring in the parent: the child forgets it, and makes its own. It does not close the number
 * either, which may be somebody else's file by then.
 */
#include "alarm.h"

#include <stddef.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "lock.h"

/* Both guarded by the lock, which the only thread of a fork's child has for itself. */
static unsigned epoch;
static struct list all = {&all, &all};

unsigned cctx__fork_epoch(void) { return epoch; }

void cctx__alarm_init(struct alarm *alarm) {
  alarm->fd = -1;
  alarm->epoch = 0;
  alarm->due = CCTX_NEVER;
  list_init(&alarm->link);
}

bool cctx__alarm_is_made(const struct alarm *alarm) {
  return alarm->fd >= 0 && alarm->epoch == epoch;
}

int cctx__alarm_fd(struct alarm *alarm) {
  if (cctx__alarm_is_made(alarm)) return alarm->fd;
  alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  alarm->epoch = epoch;
  alarm->due = CCTX_NEVER;
  if (alarm->fd >= 0) list_append(&all, &alarm->link);
  return alarm->fd;
}

static void apply(const struct alarm *alarm) {
  struct itimerspec when = {{0, 0}, {0, 0}}; /* zero disarms */
  int64_t at = alarm->due <= cctx_now() ? 1 : cctx__clock_sleep_until(alarm->due);
  if (at != CCTX_NEVER) {
    when.it_value.tv_sec = (time_t)(at / CCTX_SECOND);
    when.it_value.tv_nsec = (long)(at % CCTX_SECOND);
  }
  timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void cctx__alarm_set(struct alarm *alarm, int64_t due) {
  if (!cctx__alarm_is_made(alarm) || alarm->due == due) return;
  alarm->due = due;
  apply(alarm);
}

void cctx__alarm_close(struct alarm *alarm) {
  if (cctx__alarm_is_made(alarm)) close(alarm->fd);
  list_remove(&alarm->link);
  alarm->fd = -1;
}

static void follow_clock(void) {
  cctx__lock();
  for (struct list *at = all.next; at != &all; at = at->next)
    apply(LIST_ELEMENT(at, struct alarm, link));
  cctx__unlock();
}

/* What the parent made stays in the parent: out of the list, so that nothing sets it. */
static void forget_all(void) {
  epoch++;
  while (list_pop(&all)) continue;
}

__attribute__((constructor)) static void begin(void) {
  cctx__at_fork(forget_all);
  cctx__clock_on_set(follow_clock);
}
