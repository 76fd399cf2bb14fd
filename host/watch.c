/* SPDX-License-Identifier: Apache-2.0 */
/* The watch: cancels the context of a request whose client has left.
 *
 * libmicrohttpd does not look at a connection that is suspended. So one thread waits for the
 * end of what clients send. A client that has closed only its sending side counts as gone:
 * nobody can tell it from one that has closed both.
 *
 * An event may be under way while its request is answered, freed, and the descriptor is
 * that of the next request. So an event names no request, but a descriptor and its turn,
 * which grows with each use: under the lock, an event of an earlier turn is nobody's.
 */
#define _GNU_SOURCE 1
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queue.h"

struct place {
  struct request *request; /* NULL: not watched */
  uint32_t turn;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *places; /* under `lock`: by descriptor */
static size_t places_n;      /* under `lock` */
static int epoll = -1, end = -1;
static pthread_t thread;

static uint64_t name_event(int fd, uint32_t turn) {
  return (uint64_t)turn << 32 | (uint32_t)fd;
}

/* Level-triggered, and told once: it is taken out at its first event. */
static void forget(int fd) {
  places[fd].request = NULL;
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* The context of the request that the event is about, with a reference, or NULL. In `*unserved`
 * the request, if no worker has it, nor will. */
static cctx *take_gone(uint64_t event, struct request **unserved) {
  int fd = (int)(uint32_t)event;
  cctx *ctx = NULL;
  *unserved = NULL;
  pthread_mutex_lock(&lock);
  struct request *request = places[fd].request;
  if (request && places[fd].turn == event >> 32) {
    request->is_gone = true;
    ctx = cctx_ref(request->mark.ctx);
    if (queue_withdraw(request)) *unserved = request;
    forget(fd);
  }
  pthread_mutex_unlock(&lock);
  return ctx;
}

/* Canceling may run what a handler has registered: so no lock is held. */
static void *watch(void *unused) {
  struct epoll_event event;
  (void)unused;
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
    if (event.data.u64 == UINT64_MAX) return NULL;
    struct request *unserved;
    cctx *ctx = take_gone(event.data.u64, &unserved);
    if (!ctx) continue;
    cctx_cancel_at(ctx, CAUSE_SAYS_CLIENT_LEFT, CAUSE_FILE, 0);
    cctx_unref(ctx);
    if (unserved) request_finish(unserved);
  }
}

int watch_start(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
  epoll = epoll_create1(EPOLL_CLOEXEC);
  end = eventfd(0, EFD_CLOEXEC);
  if (epoll < 0 || end < 0) return errno;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, end, &event) != 0) return errno;
  return pthread_create(&thread, NULL, watch, NULL);
}

void watch_stop(void) {
  eventfd_write(end, 1);
  pthread_join(thread, NULL);
  close(epoll);
  close(end);
  free(places);
}

static bool make_room(size_t n) {
  if (n <= places_n) return true;
  size_t room = n > 2 * places_n ? n : 2 * places_n;
  struct place *grown = realloc(places, room * sizeof *grown);
  if (!grown) return false;
  for (size_t i = places_n; i < room; i++) grown[i] = (struct place){NULL, 0};
  places = grown;
  places_n = room;
  return true;
}

void watch_begin(struct request *request, int fd) {
  pthread_mutex_lock(&lock);
  if (make_room((size_t)fd + 1)) {
    struct place *place = &places[fd];
    struct epoll_event event = {.events = EPOLLRDHUP,
                                .data.u64 = name_event(fd, ++place->turn)};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
      place->request = request;
      request->watched = fd;
    }
  }
  pthread_mutex_unlock(&lock);
}

void watch_end(struct request *request) {
  int fd = request->watched;
  if (fd < 0) return;
  pthread_mutex_lock(&lock);
  if (places[fd].request == request) forget(fd);
  pthread_mutex_unlock(&lock);
  request->watched = -1;
}
