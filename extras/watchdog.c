/* SPDX-License-Identifier: Apache-2.0 */
/* Watchdogs: a chain of deadlines, each of which looks when the last feeding was.
 *
 * At any time at most one deadline is observed. Its callback either cancels, and ends the
 * chain, or observes the next one. The mutex is for that step against free: no foreign
 * code runs under it, and nothing touches the watchdog after letting it go, since free may
 * be waiting for it. Only where free waits for the callback itself (off_done_wait) is the
 * watchdog good until the callback returns.
 */
#include <cctx/watchdog.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cctx_watchdog {
  cctx *ctx; /* owned; to be canceled */
  cctx_loop *loop;
  int64_t timeout;
  _Atomic int64_t fed; /* when; relaxed: nothing else is read by it */
  int line;
  const char *message, *file; /* NULL, or in `text` */
  pthread_mutex_t lock;
  cctx_observer observer; /* of the deadline that is on; guarded by the lock */
  bool ended;             /* by free; guarded by the lock */
  char text[];
};

/* `timeout` after the last feeding, saturated. */
static int64_t due_time(cctx_watchdog *dog) {
  int64_t due, fed = atomic_load_explicit(&dog->fed, memory_order_relaxed);
  if (!__builtin_add_overflow(fed, dog->timeout, &due)) return due;
  return dog->timeout > 0 ? CCTX_NEVER : INT64_MIN;
}

static void wake(cctx *timer, void *memory);

/* Under the lock, so that the observer is stored before its callback looks. False for lack
 * of memory. */
static bool sleep_until(cctx_watchdog *dog, int64_t due) {
  cctx *timer = cctx_with_deadline(cctx_background(), due);
  int status = CCTX_ENOMEM;
  if (timer) status = cctx_on_done(timer, dog->loop, wake, dog, &dog->observer);
  cctx_unref(timer);
  return status == CCTX_OK;
}

/* Callbacks of this cancellation may free the watchdog; its strings are copied before. */
static void bite(cctx_watchdog *dog, const char *message) {
  cctx *ctx = cctx_ref(dog->ctx);
  int canceled = cctx_cancel_at(ctx, message, dog->file, dog->line);
  assert(canceled >= 0 && "cctx_watchdog: its context cannot be canceled by itself");
  (void)canceled;
  cctx_unref(ctx);
}

static void wake(cctx *timer, void *memory) {
  cctx_watchdog *dog = memory;
  int64_t due;
  bool is_on, is_fed, slept = false;
  (void)timer;
  pthread_mutex_lock(&dog->lock);
  due = due_time(dog);
  is_on = !dog->ended && cctx_err(dog->ctx) == CCTX_OK;
  is_fed = due > cctx_now();
  if (is_on && is_fed) slept = sleep_until(dog, due);
  pthread_mutex_unlock(&dog->lock);
  if (is_on && !is_fed) bite(dog, dog->message);
  if (is_on && is_fed && !slept) bite(dog, "no memory to watch on");
}

static char *copy_text(char *to, const char *text, const char **out) {
  size_t size = text ? strlen(text) + 1 : 0;
  *out = text ? memcpy(to, text, size) : NULL;
  return to + size;
}

cctx_watchdog *cctx_watchdog_new_at(cctx *ctx, cctx_loop *loop, int64_t timeout,
                                    const char *message, const char *file, int line) {
  size_t room = (message ? strlen(message) + 1 : 0) + (file ? strlen(file) + 1 : 0);
  cctx_watchdog *dog;
  bool slept;
  assert(ctx != NULL && "cctx_watchdog_new: no context");
  dog = calloc(1, sizeof *dog + room);
  if (dog == NULL) return NULL;
  copy_text(copy_text(dog->text, message, &dog->message), file, &dog->file);
  dog->ctx = cctx_ref(ctx);
  dog->loop = loop == CCTX_INLINE ? NULL : loop;
  dog->timeout = timeout;
  dog->line = line;
  atomic_init(&dog->fed, cctx_now());
  pthread_mutex_init(&dog->lock, NULL);
  pthread_mutex_lock(&dog->lock);
  slept = sleep_until(dog, due_time(dog));
  pthread_mutex_unlock(&dog->lock);
  if (slept) return dog;
  cctx_watchdog_free(dog);
  return NULL;
}

void cctx_watchdog_feed(cctx_watchdog *dog) {
  atomic_store_explicit(&dog->fed, cctx_now(), memory_order_relaxed);
}

void cctx_watchdog_free(cctx_watchdog *dog) {
  cctx_observer observer;
  if (dog == NULL) return;
  pthread_mutex_lock(&dog->lock);
  dog->ended = true;
  observer = dog->observer;
  pthread_mutex_unlock(&dog->lock);
  cctx_off_done_wait(&observer);
  pthread_mutex_destroy(&dog->lock);
  cctx_unref(dog->ctx);
  free(dog);
}
