/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as causes.
 *
 * Canceling is not async-signal-safe, so the handler only notes the signal and posts a semaphore;
 * a thread of its own, started by the first such context, waits for that and cancels.
 *
 * A signal has our handler while a context waits for it. The handler that was there before is
 * called too, and is put back, if nobody has replaced ours, when no context waits any more.
 */
#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>

#include "lock.h"
#include "stop.h"
#include "thread.h"

#ifndef NSIG
#define NSIG 65
#endif

struct signaled {
  struct stop stop;
  struct list link; /* in `waiting` of its signal */
  int signo;
};

/* Guarded by the lock, but for what the handler reads: that was written before it was set. */
static struct {
  struct list
      waiting; /* struct signaled; not initialized: nobody has asked for this signal */
  struct sigaction before;
  volatile sig_atomic_t arrived;
} signals[NSIG];

static sem_t arrival;
static struct own_thread thread;

static void handle(int signo, siginfo_t *info, void *ucontext) {
  const struct sigaction *before = &signals[signo].before;
  int saved = errno;
  signals[signo].arrived = 1;
  sem_post(&arrival);
  if (before->sa_flags & SA_SIGINFO)
    before->sa_sigaction(signo, info, ucontext);
  else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
    before->sa_handler(signo);
  errno = saved;
}

/* ---- The thread ---------------------------------------------------------------------- */

/* One that waits for `signo`, taken off the list, with a reference; NULL: none. A node that is
 * being freed at this moment waits for the lock with no reference left: it is passed over. */
static cctx *take_waiting(int signo) {
  cctx *found = NULL;
  cctx__lock();
  while (!found && !list_is_empty(&signals[signo].waiting)) {
    struct signaled *at =
        LIST_ELEMENT(list_pop(&signals[signo].waiting), struct signaled, link);
    size_t refs = atomic_load(&at->stop.watch.node->refs);
    while (refs > 0 &&
           !atomic_compare_exchange_weak(&at->stop.watch.node->refs, &refs, refs + 1))
      continue;
    if (refs > 0) found = at->stop.watch.node;
  }
  cctx__unlock();
  return found;
}

static const char *name_of(int signo) {
  switch (signo) {
  case SIGHUP: return "SIGHUP";
  case SIGINT: return "SIGINT";
  case SIGQUIT: return "SIGQUIT";
  case SIGTERM: return "SIGTERM";
  case SIGUSR1: return "SIGUSR1";
  case SIGUSR2: return "SIGUSR2";
  default: return NULL;
  }
}

static void cancel_all(int signo) {
  char message[32];
  cctx *ctx;
  if (name_of(signo))
    snprintf(message, sizeof message, "%s received", name_of(signo));
  else
    snprintf(message, sizeof message, "signal %d received", signo);
  while ((ctx = take_waiting(signo)) != NULL) {
    cctx_cancel_at(ctx, message, NULL, 0);
    cctx_unref(ctx);
  }
}

static void *run(void *unused) {
  (void)unused;
  for (;;) {
    while (sem_wait(&arrival) != 0) continue;
    for (int signo = 1; signo < NSIG; signo++)
      if (signals[signo].arrived) {
        signals[signo].arrived = 0;
        cancel_all(signo);
      }
  }
  return NULL;
}

/* The parent's contexts and its thread are not the child's. Its handlers stay, and do nothing
 * but call those before them, until the child asks for the signal itself. */
static void forget(void) {
  cctx__thread_forget(&thread);
  sem_init(&arrival, 0, 0);
  for (int signo = 1; signo < NSIG; signo++)
    if (signals[signo].waiting.next)
      while (list_pop(&signals[signo].waiting)) continue;
}

__attribute__((constructor)) static void begin(void) {
  sem_init(&arrival, 0, 0);
  cctx__at_fork(forget);
}

/* ---- Contexts -------------------------------------------------------------------------- */

static bool is_ours(int signo) {
  struct sigaction now;
  return sigaction(signo, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
         now.sa_sigaction == handle;
}

/* Under the lock: see to it that `signo` is handled here. 0 or CCTX_EINVAL. */
static int listen(int signo) {
  struct sigaction ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
  if (signals[signo].waiting.next == NULL) list_init(&signals[signo].waiting);
  if (is_ours(signo)) return CCTX_OK;
  sigfillset(&ours.sa_mask);
  if (sigaction(signo, NULL, &signals[signo].before) != 0) return CCTX_EINVAL;
  return sigaction(signo, &ours, NULL) == 0 ? CCTX_OK : CCTX_EINVAL;
}

static void drop_signaled(cctx *ctx) {
  struct signaled *signaled = (struct signaled *)(void *)ctx->stop;
  int signo = signaled->signo;
  cctx__lock();
  list_remove(&signaled->link);
  if (list_is_empty(&signals[signo].waiting) && is_ours(signo))
    sigaction(signo, &signals[signo].before, NULL);
  cctx__unlock();
  cctx__watch_drop(ctx);
}

int cctx_with_signal(cctx **out, cctx *parent, int signo) {
  struct signaled *signaled;
  cctx *ctx;
  int status;
  assert(cctx__is_live(parent) && "cctx_with_signal: no parent, or one given back");
  if (signo <= 0 || signo >= NSIG) return CCTX_EINVAL;
  if (!cctx__thread_need(&thread, run)) return CCTX_ENOMEM;
  ctx = cctx__node_new(parent, sizeof *signaled);
  if (ctx == NULL) return CCTX_ENOMEM;
  signaled = cctx__room(ctx);
  cctx__stop_init(ctx, &signaled->stop, CCTX_NEVER, true);
  list_init(&signaled->link);
  signaled->signo = signo;
  cctx__lock();
  status = listen(signo);
  if (status == CCTX_OK) {
    ctx->drop = drop_signaled;
    list_append(&signals[signo].waiting, &signaled->link);
  }
  cctx__unlock();
  if (status == CCTX_OK)
    *out = ctx;
  else
    cctx_unref(ctx);
  return status;
}
