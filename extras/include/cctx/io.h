/* SPDX-License-Identifier: Apache-2.0 */
/* Input and output under a context: blocking steps that end when the context does. */
#ifndef CCTX_IO_H
#define CCTX_IO_H

#include <cctx/context.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Steps ---------------------------------------------------------------------
 *
 *     cctx *ctx = cctx_with_timeout(request, 2 * CCTX_SECOND);
 *     if (cctx_connect(ctx, fd, address, len) == 0 &&
 *         cctx_write(ctx, fd, query, query_len, NULL) == 0)
 *       n = cctx_read(ctx, fd, answer, sizeof answer);
 *     cctx_finish(ctx);
 *
 * Each function blocks this thread until it has done its step or `ctx` is done. None has
 * a timeout of its own: derive a context that has one. These hold for all of them:
 *
 *   Result      0 or more: the step is done. Negative: CCTX_ECANCELED or CCTX_EDEADLINE for
 *               the context; CCTX_ENOMEM where there is no memory or descriptor to wait
 *               with; CCTX_ESYSTEM where the system refused. errno is set in each case:
 *               ECANCELED, ETIMEDOUT, ENOMEM, or what the system said.
 *   Who wins    The context is asked first: once it is done every step answers so, even
 *               where a descriptor is ready, and has taken or sent nothing more. A peer
 *               that never pauses cannot keep a canceled request alive.
 *   Mode        A descriptor may be blocking or not. Its flags are as they were on return;
 *               only cctx_connect changes them for a moment.
 *   Signals     A step that a signal handler interrupts goes on. SIGPIPE is not raised for
 *               sockets; for pipes it is, as by write.
 *   Threads     Any thread, with descriptors that stay open meanwhile. Not
 *               async-signal-safe. No lock is held, no other thread is started, no callback
 *               is run.
 *   Python      Release the interpreter's lock around a step, as around any that blocks.
 *   Clock       cctx_clock_set moves the deadlines here too: see docs/loop.md.
 *
 * What is not a socket and is in blocking mode (a pipe, a terminal) has no call that
 * never blocks. There a step waits until it is ready and then calls read or write, which
 * block if another thread or process has been quicker, or a terminal is stopped meanwhile.
 */

/** The system refused; errno says why. No status of the core has a number so low. */
#define CCTX_ESYSTEM (-1000)

/** Wait until one of the `n` descriptors in `fds` is ready, as poll without a timeout: how
 *  many are, at least 1, with their `revents` set; of an error `revents` is as it was. With
 *  an `n` of 0 it waits for the context alone. More than 15 take an allocation. */
CCTX_MUST_USE CCTX_API int cctx_poll(cctx *ctx, struct pollfd *fds, nfds_t n);

/** Sleep for `timeout` ns: 0 when it has passed, which it has if it is not positive.
 *  CCTX_NEVER sleeps until the context is done. */
CCTX_API int cctx_sleep(cctx *ctx, int64_t timeout);

/** Connect the socket `fd`: 0 once it is connected. After an error it may still be
 *  connecting, and POSIX does not say what it is good for: close it. While the system takes
 *  the address the socket is in non-blocking mode, for everybody who shares it. */
CCTX_MUST_USE CCTX_API int cctx_connect(cctx *ctx, int fd, const struct sockaddr *address,
                                        socklen_t len);

/** Read what there is, once, as read does: how many bytes, from 1 to `len`; 0 at the end of
 *  the stream, for an empty datagram, or for a `len` of 0. */
CCTX_MUST_USE CCTX_API ssize_t cctx_read(cctx *ctx, int fd, void *buffer, size_t len);

/** Write all of `bytes`, in as many calls as that takes: 0 when the system has taken them.
 *  `written` (or NULL) gets how many it took, also of an error: after one in the
 *  middle of a message a stream is of no more use. A datagram goes out whole or not at
 *  all. */
CCTX_MUST_USE CCTX_API int cctx_write(cctx *ctx, int fd, const void *bytes, size_t len,
                                      size_t *written);

#ifdef __cplusplus
}
#endif
#endif
