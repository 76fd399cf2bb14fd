/* SPDX-License-Identifier: Apache-2.0 */
/* The alarm: signals to this thread from a deadline on, and the end of the process when
 * nothing has come of them.
 *
 * Two timers of the kernel, each with a real-time signal of its own, so that a script
 * keeps SIGALRM. cctx_now() is CLOCK_MONOTONIC: a deadline is a time of theirs as it is.
 */
#define _GNU_SOURCE 1
#include "alarm.h"

#include <cctx.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static timer_t soft;
static bool started;
static const char *volatile words;

int alarm_signal(void) { return SIGRTMIN + 4; }

static int grace_signal(void) { return SIGRTMIN + 5; }

/* Not by _exit: before what does not return, AddressSanitizer takes the lock of its allocator,
 * which the signal may have interrupted. */
static void end_process(int number) {
  const char *text = words;
  (void)number;
  if (write(STDERR_FILENO, text, strlen(text)) < 0) text = NULL; /* nobody reads it */
  syscall(SYS_exit_group, STATUS_DEADLINE);
}

static struct timespec to_timespec(int64_t time) {
  /* A time of 0 would disarm the timer; one that has passed fires at once. */
  if (time < 1) time = 1;
  return (struct timespec){.tv_sec = (time_t)(time / CCTX_SECOND),
                           .tv_nsec = (long)(time % CCTX_SECOND)};
}

static int start_timer(timer_t *timer, int number, int64_t at, int64_t period) {
  struct sigevent event;
  struct itimerspec when = {.it_value = to_timespec(at)};
  if (period > 0) when.it_interval = to_timespec(period);
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = number;
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
  if (timer_create(CLOCK_MONOTONIC, &event, timer) != 0) return errno;
  return timer_settime(*timer, TIMER_ABSTIME, &when, NULL) == 0 ? 0 : errno;
}

int alarm_start(int64_t deadline, const char *last_words) {
  struct sigaction action = {.sa_handler = end_process};
  int64_t end = deadline > CCTX_NEVER - ALARM_GRACE ? CCTX_NEVER : deadline + ALARM_GRACE;
  timer_t hard;
  words = last_words;
  if (sigaction(grace_signal(), &action, NULL) != 0) return errno;
  int failed = start_timer(&hard, grace_signal(), end, 0);
  if (failed) return failed;
  failed = start_timer(&soft, alarm_signal(), deadline, ALARM_PERIOD);
  started = failed == 0;
  return failed;
}

void alarm_stop(void) {
  if (started) timer_delete(soft);
  started = false;
}
