/* SPDX-License-Identifier: Apache-2.0 */
/* Input and output under a context: each step is tried without blocking, and then waits for
 * its descriptor beside the one of the context.
 *
 * A descriptor that is ready does not say so to this thread alone. So where the system has
 * a call that never blocks it is used (MSG_DONTWAIT), whatever poll said.
 */
#include <cctx/io.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cctx/loop.h>

enum { FEW = 16 }; /* descriptors, the context's included, without an allocation */
enum {
  RETRY_PAUSE_MS = 10
}; /* between two attempts where the system has nothing to poll */

static int with_errno(int status) {
  if (status == CCTX_ECANCELED) errno = ECANCELED;
  if (status == CCTX_EDEADLINE) errno = ETIMEDOUT;
  if (status == CCTX_ENOMEM) errno = ENOMEM;
  return status;
}

/* ---- Waiting ----------------------------------------------------------------------- */

/* The context's own descriptor; -1, which poll passes over, where it is never done. */
static int open_done(cctx *ctx, struct pollfd *out) {
  int fd = -1;
  if (cctx_can_be_done(ctx)) {
    fd = cctx_done_fd(ctx);
    if (fd < 0) return CCTX_ENOMEM;
  }
  *out = (struct pollfd){fd, POLLIN, 0};
  return CCTX_OK;
}

/* Poll `all`, of which the first is the context's, for `pause` ms (-1: no end): how many of
 * the others are ready, 0 when the pause is over, or a negative code. */
static int poll_until_done(cctx *ctx, struct pollfd *all, nfds_t n, int pause) {
  for (;;) {
    int status = cctx_err(ctx), ready;
    if (status != CCTX_OK) return status;
    ready = poll(all, n, pause);
    if (ready < 0 && errno != EINTR) return CCTX_ESYSTEM;
    if (ready < 0) continue;
    status = cctx_err(ctx);
    if (status != CCTX_OK) return status;
    /* The clock of a test may have been set back since it rang: then ask again. */
    if (all[0].revents != 0) ready--;
    if (ready > 0 || pause >= 0) return ready;
  }
}

/* poll_until_done for one descriptor, or for none (-1). */
static int wait_for(cctx *ctx, int fd, short events, int pause) {
  struct pollfd all[2];
  int status = open_done(ctx, &all[0]);
  if (status != CCTX_OK) return status;
  all[1] = (struct pollfd){fd, events, 0};
  return poll_until_done(ctx, all, 2, pause);
}

int cctx_poll(cctx *ctx, struct pollfd *fds, nfds_t n) {
  struct pollfd few[FEW], *all = few;
  int result;
  assert(ctx != NULL && "cctx_poll: no context");
  if (n >= FEW) {
    all = n < SIZE_MAX / sizeof *all ? malloc((n + 1) * sizeof *all) : NULL;
    if (all == NULL) return with_errno(CCTX_ENOMEM);
  }
  result = open_done(ctx, &all[0]);
  if (n > 0) memcpy(all + 1, fds, n * sizeof *fds);
  if (result == CCTX_OK) result = poll_until_done(ctx, all, n + 1, -1);
  if (result > 0) memcpy(fds, all + 1, n * sizeof *fds);
  if (all != few) {
    int error = errno;
    free(all);
    errno = error;
  }
  return with_errno(result);
}

int cctx_sleep(cctx *ctx, int64_t timeout) {
  assert(ctx != NULL && "cctx_sleep: no context");
  return with_errno(cctx_wait(ctx, cctx_deadline_after(timeout)));
}

/* ---- Connecting -------------------------------------------------------------------- */

/* connect in non-blocking mode. The mode is no part of a connection that has begun, so it
 * is put back at once. */
static int begin_connect(int fd, const struct sockaddr *address, socklen_t len) {
  int flags = fcntl(fd, F_GETFL), result, error;
  if (flags < 0) return -1;
  if ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
  result = connect(fd, address, len);
  error = errno;
  if ((flags & O_NONBLOCK) == 0) fcntl(fd, F_SETFL, flags);
  errno = error;
  return result;
}

static int end_connect(cctx *ctx, int fd) {
  int error = 0, status = wait_for(ctx, fd, POLLOUT, -1);
  socklen_t size = sizeof error;
  if (status < 0) return status;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return CCTX_ESYSTEM;
  if (error == 0) return CCTX_OK;
  errno = error;
  return CCTX_ESYSTEM;
}

int cctx_connect(cctx *ctx, int fd, const struct sockaddr *address, socklen_t len) {
  assert(ctx != NULL && "cctx_connect: no context");
  for (;;) {
    int status = cctx_err(ctx);
    if (status != CCTX_OK) return with_errno(status);
    if (begin_connect(fd, address, len) == 0) return CCTX_OK;
    if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
      return with_errno(end_connect(ctx, fd));
    /* A local socket whose listener is full cannot be polled for room. */
    if (errno != EAGAIN || address->sa_family != AF_UNIX) return CCTX_ESYSTEM;
    status = wait_for(ctx, -1, 0, RETRY_PAUSE_MS);
    if (status < 0) return with_errno(status);
  }
}

/* ---- Bytes ------------------------------------------------------------------------- */

/* Whether the errno of a try says to wait and try again. */
static bool is_to_wait(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

ssize_t cctx_read(cctx *ctx, int fd, void *buffer, size_t len) {
  bool is_socket = true; /* until it says that it is none */
  assert(ctx != NULL && "cctx_read: no context");
  for (;;) {
    ssize_t n;
    int status = cctx_err(ctx);
    if (status != CCTX_OK) return with_errno(status);
    n = is_socket ? recv(fd, buffer, len, MSG_DONTWAIT) : read(fd, buffer, len);
    if (n >= 0) return n;
    if (is_socket && errno == ENOTSOCK)
      is_socket = false;
    else if (!is_to_wait())
      return CCTX_ESYSTEM;
    status = wait_for(ctx, fd, POLLIN, -1);
    if (status < 0) return with_errno(status);
  }
}

/* How much of `len` a descriptor that poll calls writable takes without blocking. */
static size_t room_of(int fd, size_t len) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) != 0) return len;
  return len < PIPE_BUF ? len : PIPE_BUF;
}

int cctx_write(cctx *ctx, int fd, const void *bytes, size_t len, size_t *written) {
  const char *at = bytes;
  bool is_socket = true;
  int status;
  size_t unused;
  assert(ctx != NULL && "cctx_write: no context");
  if (written == NULL) written = &unused;
  *written = 0;
  while ((status = cctx_err(ctx)) == CCTX_OK) {
    size_t left = len - *written;
    ssize_t n = is_socket ? send(fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : write(fd, at, room_of(fd, left));
    if (n >= 0) {
      at += n;
      *written += (size_t)n;
      if (*written == len) return CCTX_OK;
      if (is_socket) continue;
    } else if (is_socket && errno == ENOTSOCK) {
      is_socket = false;
    } else if (!is_to_wait()) {
      return CCTX_ESYSTEM;
    }
    status = wait_for(ctx, fd, POLLOUT, -1);
    if (status < 0) break;
  }
  return with_errno(status);
}
