/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking steps under a context, on socket pairs, pipes and the loopback interface. */
#include <cctx/io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctx/loop.h>

#include "check.h"

enum { SOON = 5 }; /* ms: long enough to be inside a step that blocks */

static cctx *until_soon(void) {
  return cctx_with_timeout(cctx_background(), SOON * CCTX_MILLISECOND);
}

static cctx *canceled(void) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_cancel(ctx, NULL);
  return ctx;
}

static void make_pair(int fds[2]) { CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); }

static void close_both(const int fds[2]) {
  close(fds[0]);
  close(fds[1]);
}

static void set_nonblocking(int fd) {
  CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* A thread that cancels when the main one is likely to block. */
static void *cancel_body(void *ctx) {
  usleep(SOON * 1000);
  cctx_cancel(ctx, "enough");
  return NULL;
}

static pthread_t cancel_soon(cctx *ctx) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, cancel_body, ctx), 0);
  return thread;
}

/* ---- cctx_poll -------------------------------------------------------------------- */

TEST(poll_counts_what_is_ready_and_sets_its_events) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  int fds[2];
  make_pair(fds);
  struct pollfd at[] = {{fds[0], POLLIN, 0}, {-1, POLLIN, 0}, {fds[1], POLLOUT, 7}};
  CHECK_EQ(cctx_poll(ctx, at, 3), 1);
  CHECK_EQ(at[0].revents, 0);
  CHECK_EQ(at[2].revents, POLLOUT);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(cctx_poll(ctx, at, 3), 2);
  CHECK_EQ(at[0].revents, POLLIN);
  CHECK_EQ(cctx_poll(cctx_background(), at, 3), 2);
  close_both(fds);
  cctx_unref(ctx);
}

TEST(poll_returns_when_another_thread_cancels) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *child = cctx_with_cancel(ctx);
  int fds[2];
  make_pair(fds);
  struct pollfd at = {fds[0], POLLIN, 7};
  pthread_t thread = cancel_soon(ctx);
  CHECK_EQ(cctx_poll(child, &at, 1), CCTX_ECANCELED);
  CHECK_EQ(errno, ECANCELED);
  CHECK_EQ(at.revents, 7);
  pthread_join(thread, NULL);
  close_both(fds);
  cctx_unref(child);
  cctx_unref(ctx);
}

TEST(poll_of_no_descriptor_waits_for_the_deadline) {
  cctx *ctx = until_soon();
  CHECK_EQ(cctx_poll(ctx, NULL, 0), CCTX_EDEADLINE);
  CHECK_EQ(errno, ETIMEDOUT);
  CHECK(cctx_now() >= cctx_deadline(ctx));
  cctx_unref(ctx);
}

TEST(poll_takes_many_descriptors) {
  enum { MANY = 100 };
  struct pollfd at[MANY];
  cctx *ctx = cctx_with_cancel(cctx_background());
  int fds[2];
  make_pair(fds);
  for (int i = 0; i < MANY; i++) at[i] = (struct pollfd){fds[0], POLLIN, 0};
  at[MANY - 1].events = POLLOUT;
  CHECK_EQ(cctx_poll(ctx, at, MANY), 1);
  CHECK_EQ(at[MANY - 1].revents, POLLOUT);
  cctx_cancel(ctx, NULL);
  CHECK_EQ(cctx_poll(ctx, at, MANY), CCTX_ECANCELED);
  CHECK_EQ(errno, ECANCELED);
  close_both(fds);
  cctx_unref(ctx);
}

TEST(what_the_system_refuses_is_told_by_errno) {
  struct rlimit limit;
  struct pollfd *at = NULL;
  char byte;
  CHECK_EQ(cctx_read(cctx_background(), -1, &byte, 1), CCTX_ESYSTEM);
  CHECK_EQ(errno, EBADF);
  CHECK_EQ(cctx_write(cctx_background(), -1, "x", 1, NULL), CCTX_ESYSTEM);
  CHECK_EQ(errno, EBADF);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur > 100000) SKIP("there may be too many descriptors to make an array");
  at = calloc(limit.rlim_cur + 1, sizeof *at);
  CHECK_EQ(cctx_poll(cctx_background(), at, limit.rlim_cur + 1), CCTX_ESYSTEM);
  CHECK_EQ(errno, EINVAL);
  free(at);
}

TEST(without_a_descriptor_to_wait_with_a_step_says_no_memory) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  struct rlimit limit, none;
  char byte;
  int fds[2];
  make_pair(fds);
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 0;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  CHECK_EQ(cctx_read(ctx, fds[0], &byte, 1), CCTX_ENOMEM);
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  close_both(fds);
  cctx_unref(ctx);
}

static atomic_int interruptions;
static void count_interruption(int number) {
  (void)number;
  atomic_fetch_add(&interruptions, 1);
}

static void *interrupt_body(void *main_thread) {
  for (int i = 0; i < 3; i++) {
    usleep(1000);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
  }
  return NULL;
}

TEST(a_step_goes_on_after_a_signal_handler) {
  cctx *ctx = cctx_with_timeout(cctx_background(), 20 * CCTX_MILLISECOND);
  pthread_t self = pthread_self(), thread;
  struct sigaction act = {.sa_handler = count_interruption}, before;
  char byte;
  int fds[2];
  make_pair(fds);
  atomic_store(&interruptions, 0);
  CHECK_EQ(sigaction(SIGUSR1, &act, &before), 0); /* without SA_RESTART */
  CHECK_EQ(pthread_create(&thread, NULL, interrupt_body, &self), 0);
  CHECK_EQ(cctx_read(ctx, fds[0], &byte, 1), CCTX_EDEADLINE);
  pthread_join(thread, NULL);
  CHECK_EQ(atomic_load(&interruptions), 3);
  sigaction(SIGUSR1, &before, NULL);
  close_both(fds);
  cctx_unref(ctx);
}

/* ---- cctx_sleep ------------------------------------------------------------------- */

TEST(sleep_ends_after_its_timeout_or_with_the_context) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  int64_t start = cctx_now();
  pthread_t thread;
  CHECK_EQ(cctx_sleep(ctx, 0), 0);
  CHECK_EQ(cctx_sleep(ctx, -CCTX_SECOND), 0);
  CHECK_EQ(cctx_sleep(ctx, CCTX_MILLISECOND), 0);
  CHECK(cctx_now() >= start + CCTX_MILLISECOND);
  thread = cancel_soon(ctx);
  CHECK_EQ(cctx_sleep(ctx, CCTX_NEVER), CCTX_ECANCELED);
  CHECK_EQ(errno, ECANCELED);
  CHECK_EQ(cctx_sleep(ctx, -1), CCTX_ECANCELED);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
}

static void *advance_body(void *unused) {
  (void)unused;
  usleep(SOON * 1000);
  cctx_clock_set(3 * CCTX_SECOND);
  return NULL;
}

TEST(steps_follow_a_clock_that_is_set) {
  pthread_t thread;
  cctx *ctx;
  char byte;
  int fds[2];
  make_pair(fds);
  cctx_clock_set(CCTX_SECOND);
  ctx = cctx_with_timeout(cctx_background(), 5 * CCTX_SECOND);
  CHECK_EQ(pthread_create(&thread, NULL, advance_body, NULL), 0);
  CHECK_EQ(cctx_sleep(ctx, 2 * CCTX_SECOND), 0);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
  ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  cctx_clock_set(4 * CCTX_SECOND);
  CHECK_EQ(cctx_read(ctx, fds[0], &byte, 1), CCTX_EDEADLINE);
  cctx_unref(ctx);
  cctx_clock_set(2 * CCTX_SECOND);
  ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  CHECK_EQ(pthread_create(&thread, NULL, advance_body, NULL), 0);
  CHECK_EQ(cctx_read(ctx, fds[0], &byte, 1), CCTX_EDEADLINE);
  pthread_join(thread, NULL);
  close_both(fds);
  cctx_unref(ctx);
}

/* ---- cctx_read -------------------------------------------------------------------- */

/* On a stream of any kind: what is there, then the end of it, and the mode as it was. */
static void read_from(int from, int to, bool is_nonblocking) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *soon;
  char buffer[8];
  int flags;
  if (is_nonblocking) set_nonblocking(from);
  flags = fcntl(from, F_GETFL);
  CHECK_EQ(write(to, "hello", 5), 5);
  CHECK_EQ(cctx_read(ctx, from, buffer, 3), 3);
  CHECK_EQ(cctx_read(ctx, from, buffer + 3, 5), 2);
  CHECK(memcmp(buffer, "hello", 5) == 0);
  soon = until_soon();
  CHECK_EQ(cctx_read(soon, from, buffer, 1), CCTX_EDEADLINE);
  CHECK_EQ(errno, ETIMEDOUT);
  CHECK_EQ(fcntl(from, F_GETFL), flags);
  close(to);
  CHECK_EQ(cctx_read(ctx, from, buffer, 1), 0);
  close(from);
  cctx_unref(soon);
  cctx_unref(ctx);
}

TEST(read_takes_what_there_is_and_leaves_the_mode_alone) {
  for (int way = 0; way < 4; way++) {
    int fds[2];
    if (way < 2)
      make_pair(fds);
    else
      CHECK_EQ(pipe(fds), 0);
    read_from(fds[0], fds[1], way % 2 == 1);
  }
}

TEST(a_context_that_is_done_wins_over_bytes_that_are_there) {
  cctx *ctx = canceled();
  char byte = 0;
  int fds[2];
  make_pair(fds);
  struct pollfd at = {fds[0], POLLIN, 0};
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(cctx_read(ctx, fds[0], &byte, 1), CCTX_ECANCELED);
  CHECK_EQ(cctx_poll(ctx, &at, 1), CCTX_ECANCELED);
  CHECK_EQ(cctx_write(ctx, fds[0], "y", 1, NULL), CCTX_ECANCELED);
  CHECK_EQ(read(fds[0], &byte, 1), 1);
  CHECK_EQ(byte, 'x');
  CHECK_EQ(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
  close_both(fds);
  cctx_unref(ctx);
}

/* ---- cctx_write ------------------------------------------------------------------- */

enum { MUCH = 1 << 20 }; /* more than a socket or a pipe takes at once */
static char much[MUCH];

struct drain {
  int fd;
  size_t count;
  bool is_equal; /* to `much` */
};

static void *drain_body(void *memory) {
  static char buffer[10000];
  struct drain *drain = memory;
  ssize_t n;
  drain->is_equal = true;
  while ((n = read(drain->fd, buffer, sizeof buffer)) > 0) {
    if (memcmp(buffer, much + drain->count, (size_t)n) != 0) drain->is_equal = false;
    drain->count += (size_t)n;
  }
  return NULL;
}

static void write_to(int from, int to, bool is_nonblocking) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  struct drain drain = {from, 0, false};
  pthread_t thread;
  size_t written = 0;
  int flags;
  if (is_nonblocking) set_nonblocking(to);
  flags = fcntl(to, F_GETFL);
  for (size_t i = 0; i < MUCH; i++) much[i] = (char)(i * i >> 3);
  CHECK_EQ(pthread_create(&thread, NULL, drain_body, &drain), 0);
  CHECK_EQ(cctx_write(ctx, to, much, MUCH, &written), 0);
  CHECK_EQ(written, MUCH);
  CHECK_EQ(fcntl(to, F_GETFL), flags);
  close(to);
  pthread_join(thread, NULL);
  CHECK_EQ(drain.count, MUCH);
  CHECK(drain.is_equal);
  close(from);
  cctx_unref(ctx);
}

TEST(write_writes_all_and_leaves_the_mode_alone) {
  for (int way = 0; way < 4; way++) {
    int fds[2];
    if (way < 2)
      make_pair(fds);
    else
      CHECK_EQ(pipe(fds), 0);
    write_to(fds[0], fds[1], way % 2 == 1);
  }
}

TEST(a_write_that_nobody_reads_ends_at_the_deadline_and_tells_how_far_it_came) {
  for (int way = 0; way < 4; way++) {
    cctx *ctx = until_soon();
    size_t written = 0;
    int fds[2];
    if (way < 2)
      make_pair(fds);
    else
      CHECK_EQ(pipe(fds), 0);
    if (way % 2 == 1) set_nonblocking(fds[1]);
    CHECK_EQ(cctx_write(ctx, fds[1], much, MUCH, &written), CCTX_EDEADLINE);
    CHECK(written >= PIPE_BUF && written < MUCH);
    CHECK_EQ(cctx_write(ctx, fds[1], much, MUCH, &written), CCTX_EDEADLINE);
    CHECK_EQ(written, 0);
    close_both(fds);
    cctx_unref(ctx);
  }
}

TEST(writing_to_a_socket_that_nobody_will_read_raises_no_signal) {
  int fds[2];
  make_pair(fds);
  close(fds[0]);
  CHECK_EQ(cctx_write(cctx_background(), fds[1], "x", 1, NULL), CCTX_ESYSTEM);
  CHECK_EQ(errno, EPIPE);
  close(fds[1]);
}

TEST(datagrams_go_whole_and_may_be_empty) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  char buffer[8];
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
  CHECK_EQ(cctx_write(ctx, fds[0], "", 0, NULL), 0);
  CHECK_EQ(cctx_write(ctx, fds[0], "abc", 3, NULL), 0);
  CHECK_EQ(cctx_read(ctx, fds[1], buffer, sizeof buffer), 0);
  CHECK_EQ(cctx_read(ctx, fds[1], buffer, sizeof buffer), 3);
  close_both(fds);
  cctx_unref(ctx);
}

/* ---- cctx_connect ----------------------------------------------------------------- */

/* A listener on a free port of the loopback interface. */
static int listen_at(struct sockaddr_in *address) {
  socklen_t len = sizeof *address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_EQ(bind(fd, (struct sockaddr *)address, len), 0);
  CHECK_EQ(getsockname(fd, (struct sockaddr *)address, &len), 0);
  return fd;
}

static int connect_to(cctx *ctx, int fd, const struct sockaddr_in *address) {
  return cctx_connect(ctx, fd, (const struct sockaddr *)address, sizeof *address);
}

TEST(connect_connects_and_leaves_the_mode_alone) {
  for (int way = 0; way < 2; way++) {
    cctx *ctx = cctx_with_cancel(cctx_background());
    struct sockaddr_in address;
    int listener = listen_at(&address), fd = socket(AF_INET, SOCK_STREAM, 0), flags, peer;
    char byte = 0;
    if (way == 1) set_nonblocking(fd);
    flags = fcntl(fd, F_GETFL);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(connect_to(ctx, fd, &address), 0);
    CHECK_EQ(fcntl(fd, F_GETFL), flags);
    peer = accept(listener, NULL, NULL);
    CHECK_EQ(cctx_write(ctx, fd, "x", 1, NULL), 0);
    CHECK_EQ(cctx_read(ctx, peer, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    close(peer);
    close(fd);
    close(listener);
    cctx_unref(ctx);
  }
}

TEST(connect_tells_what_the_system_refuses) {
  struct sockaddr_in address;
  int listener = listen_at(&address), fd = socket(AF_INET, SOCK_STREAM, 0);
  close(listener); /* the port is free again */
  CHECK_EQ(connect_to(cctx_background(), fd, &address), CCTX_ESYSTEM);
  CHECK_EQ(errno, ECONNREFUSED);
  close(fd);
  CHECK_EQ(connect_to(cctx_background(), fd, &address), CCTX_ESYSTEM);
  CHECK_EQ(errno, EBADF);
}

TEST(connect_under_a_context_that_is_done_does_not_begin) {
  cctx *ctx = canceled();
  struct sockaddr_in address;
  int listener = listen_at(&address), fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(listen(listener, 1), 0);
  CHECK_EQ(connect_to(ctx, fd, &address), CCTX_ECANCELED);
  set_nonblocking(listener);
  CHECK_EQ(accept(listener, NULL, NULL), -1);
  close(fd);
  close(listener);
  cctx_unref(ctx);
}

TEST(connect_to_a_listener_whose_queue_is_full_ends_with_the_context) {
  enum { MANY = 3 };
  struct sockaddr_in address;
  int listener = listen_at(&address), fds[MANY], result = 0;
  CHECK_EQ(listen(listener, 0), 0);
  for (int i = 0; i < MANY; i++) {
    cctx *ctx = until_soon();
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    result = connect_to(ctx, fds[i], &address);
    cctx_unref(ctx);
  }
  CHECK_EQ(result, CCTX_EDEADLINE);
  CHECK_EQ(fcntl(fds[MANY - 1], F_GETFL) & O_NONBLOCK, 0);
  for (int i = 0; i < MANY; i++) close(fds[i]);
  close(listener);
}

/* A listener whose queue is full lets a local socket wait; then one place becomes free. */
static void *accept_body(void *listener) {
  usleep(SOON * 1000);
  close(accept(*(int *)listener, NULL, NULL));
  return NULL;
}

TEST(connect_waits_for_room_in_the_queue_of_a_local_listener) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socklen_t len = sizeof address;
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), fds[3], result = 0;
  cctx *ctx = until_soon();
  pthread_t thread;
  CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
  CHECK_EQ(listen(listener, 0), 0);
  if (getsockname(listener, (struct sockaddr *)&address, &len) != 0) SKIP("no autobind");
  for (int i = 0; i < 3; i++) fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(cctx_connect(cctx_background(), fds[0], (struct sockaddr *)&address, len), 0);
  result = cctx_connect(ctx, fds[1], (struct sockaddr *)&address, len);
  CHECK_EQ(result, CCTX_EDEADLINE);
  CHECK_EQ(pthread_create(&thread, NULL, accept_body, &listener), 0);
  result = cctx_connect(cctx_background(), fds[2], (struct sockaddr *)&address, len);
  CHECK_EQ(result, 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < 3; i++) close(fds[i]);
  close(listener);
  cctx_unref(ctx);
}
