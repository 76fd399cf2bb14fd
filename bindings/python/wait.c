/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a context to be done, without the interpreter's lock.
 *
 * It is a poll and not cctx_wait, as a signal must be able to end it (KeyboardInterrupt): at
 * once if it comes to this thread, else after a slice. The limit is a deadline of a child, so
 * that it follows the same clock as all others.
 */
#include "home.h"

#include <errno.h>
#include <poll.h>

#define SLICE 500 /* milliseconds */

static int poll_done(const cctx *ctx, int fd) {
  struct pollfd done = {.fd = fd, .events = POLLIN, .revents = 0};
  while (cctx_err(ctx) == CCTX_OK) {
    int n, error;
    Py_BEGIN_ALLOW_THREADS;
    n = poll(&done, 1, SLICE);
    error = errno;
    Py_END_ALLOW_THREADS;
    if (n < 0 && error != EINTR) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    if (n <= 0 && PyErr_CheckSignals() < 0) return -1;
  }
  return 0;
}

static int wait_for(cctx *ctx, int64_t until) {
  cctx *limited = cctx_with_deadline(ctx, until);
  int fd = limited ? cctx_done_fd(limited) : -1, status = -1;
  if (limited == NULL)
    PyErr_NoMemory();
  else if (fd < 0)
    PyErr_SetString(PyExc_OSError, "the system has no file descriptor left");
  else
    status = poll_done(limited, fd);
  cctx_unref(limited);
  return status;
}

PyObject *cctx__py_context_wait(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"timeout", NULL};
  cctx *ctx = ((context_object *)self)->ctx;
  PyObject *seconds = Py_None;
  int64_t timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", names, &seconds) ||
      cctx__py_to_timeout(seconds, "timeout", &timeout) < 0)
    return NULL;
  if (cctx_err(ctx) == CCTX_OK && wait_for(ctx, cctx_deadline_after(timeout)) < 0)
    return NULL;
  if (cctx_err(ctx) == CCTX_OK) Py_RETURN_NONE;
  return PyUnicode_FromString(cctx_status_word(cctx_err(ctx)));
}
