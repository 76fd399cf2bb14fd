/* SPDX-License-Identifier: Apache-2.0 */
/* The context: a node in a tree that answers must I stop, why, and by when. */
#ifndef CCTX_CONTEXT_H
#define CCTX_CONTEXT_H

#include <cctx/clock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Contexts -----------------------------------------------------------
 *
 * A context is a node in a tree. It is immutable but for its cancellation.
 * Canceling a node cancels all of its descendants; nothing flows up. A child keeps
 * its parent alive. Deriving never fails but for lack of memory: then the
 * constructor returns NULL, and the parent is as it was.
 */
typedef struct cctx cctx;

/** The root: never done, no deadline, no values. Immortal: ref and unref of it do
 *  nothing, so it may be treated like any other context. */
CCTX_API cctx *cctx_background(void);

/** A second root, for code that does not know yet which context it should use.
 *  Behaves as background and differs from it. */
CCTX_API cctx *cctx_todo(void);

/** Count one more holder of `ctx`, and hand it back for convenience. Cannot fail. */
CCTX_API cctx *cctx_ref(cctx *ctx);

/** The opposite of cctx_ref, and of every constructor. When nobody holds `ctx` any more it is
 *  freed, with those of its ancestors that nobody else needs; the release hooks of their
 *  values run here. Ends nothing: to stop work, cancel. NULL does nothing. */
CCTX_API void cctx_unref(cctx *ctx);

/** A child that cctx_cancel can stop. A child of a context that is done is done. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_cancel(cctx *parent);

/** A child that stops at `deadline` (absolute, ns) at the latest, and that cctx_cancel
 *  can stop before. A deadline later than the parent's is cut to the parent's; one
 *  that has passed gives a context that is done, not an error. `message` (or NULL)
 *  is copied, cut to its room (CCTX_MESSAGE_MAX), and `file`:`line` tell the place that set
 *  the deadline; both become the cause when it passes. The macros below fill them in. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_deadline_at(cctx *parent, int64_t deadline,
                                                   const char *message, const char *file,
                                                   int line);

/** The same, with this line as the place. */
#define cctx_with_deadline(parent, deadline)                                               \
  cctx_with_deadline_at((parent), (deadline), NULL, __FILE__, __LINE__)
#define cctx_with_deadline_cause(parent, deadline, message)                                \
  cctx_with_deadline_at((parent), (deadline), (message), __FILE__, __LINE__)

/** The same with a `timeout` (relative, ns) that starts now. */
#define cctx_with_timeout(parent, timeout)                                                 \
  cctx_with_deadline_at((parent), cctx_deadline_after(timeout), NULL, __FILE__, __LINE__)
#define cctx_with_timeout_cause(parent, timeout, message)                                  \
  cctx_with_deadline_at((parent), cctx_deadline_after(timeout), (message), __FILE__,       \
                        __LINE__)

/** Flag of cctx_detached: keep the deadline too. */
#define CCTX_KEEP_DEADLINE 1u

/** A context with the values and metadata visible from `parent`, and nothing else of
 *  it: no cancellation, and no deadline unless `flags` has CCTX_KEEP_DEADLINE. For work that
 *  goes on after its request (Go's WithoutCancel). Retains what is visible, not the
 *  ancestors. Only cctx_cancel on a descendant that can be canceled stops anything
 *  below it. */
CCTX_MUST_USE CCTX_API cctx *cctx_detached(cctx *parent, unsigned flags);

/** A context that ends with the first of `parents` that does, for its cause, or that
 *  cctx_cancel stops before: for work that several asked for, or that two things may stop. Values
 *  and metadata are those of the first, the deadline is the earliest. Keeps all of them
 *  alive. `n` is at least 1. */
CCTX_MUST_USE CCTX_API cctx *cctx_merge(cctx *const *parents, size_t n);

/** A child that is done `grace` ns after its parent is, for the parent's cause; its deadline is
 *  as much later: the hard stop after the soft one. cctx_cancel can stop it before. A grace
 *  that is not positive gives an ordinary child. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_grace(cctx *parent, int64_t grace);

/** Derive in `*out` a child that ends when this process receives `signo`, with "SIGTERM
 *  received" or the like as its cause, or that cctx_cancel stops before. A handler that was
 *  there before is called too, and is put back when no context waits for the signal any
 *  more; where there was none, the signal does nothing else. Starts one thread, with all
 *  signals blocked. CCTX_EINVAL for a signal that cannot be handled, CCTX_ENOMEM: `*out` is as it
 *  was. In the child of a fork ask anew. */
CCTX_API int cctx_with_signal(cctx **out, cctx *parent, int signo);

/* ---- Cancellation --------------------------------------------------------
 *
 * The first cancellation wins: it fixes status and cause of the node and of every
 * descendant that was live. A parent is seen done before its children. When
 * cctx_cancel returns, the whole subtree answers done on every thread.
 */

/** Stop `ctx` and its descendants. 1 if this call stopped it, 0 if it was done
 *  already, CCTX_EINVAL if its constructor does not say that it can be canceled (a root, values,
 *  metadata, what is detached): that would stop its parent. `message`, `file`, `line` as above; they are
 *  copied, so this cannot fail for lack of memory. Not async-signal-safe. */
CCTX_API int cctx_cancel_at(cctx *ctx, const char *message, const char *file, int line);

/** The same, with this line as the place; `message` may be NULL. */
#define cctx_cancel(ctx, message) cctx_cancel_at((ctx), (message), __FILE__, __LINE__)

/** Cancel, then give the reference back: the end of every with_cancel and
 *  with_timeout block. NULL is allowed. */
#define cctx_finish(ctx) cctx_finish_at((ctx), __FILE__, __LINE__)
CCTX_API void cctx_finish_at(cctx *ctx, const char *file, int line);

/** 0 while `ctx` may go on, else CCTX_ECANCELED or CCTX_EDEADLINE. Looks at the clock where
 *  there is a deadline: no timer has to fire first. Once not 0, it never changes. */
CCTX_API int cctx_err(const cctx *ctx);

/** Room for a cause's message and place, with their final NUL; longer ones are cut
 *  (of a file name the end is kept). */
#define CCTX_MESSAGE_MAX 96
#define CCTX_FILE_MAX 64

/** Why a context is done, and who stopped it. The strings belong to the context it was
 *  asked of, and live as long as a reference to that is held. */
struct cctx_cause {
  int status;          /**< CCTX_ECANCELED or CCTX_EDEADLINE; 0: not done, all else empty */
  const char *message; /**< what the canceler or the deadline's owner said, never NULL */
  const char *file;    /**< where; "" if not known */
  int line;            /**< where; 0 if not known */
  int64_t time;        /**< when: ns as cctx_now(), for a deadline the deadline itself */
};

/** Fill `out` with the cause of the first cancellation; returns cctx_err(ctx). */
CCTX_API int cctx_cause(const cctx *ctx, struct cctx_cause *out);

/** The earliest deadline on the path to the root (absolute, ns), or CCTX_NEVER. Stays
 *  what it is when the context is done. */
CCTX_API int64_t cctx_deadline(const cctx *ctx);

/** Time left until the deadline, in ns: CCTX_NEVER without one, 0 once it has passed. */
CCTX_API int64_t cctx_remaining(const cctx *ctx);

/** Whether `ctx` can ever be done: false for the roots, and for what is detached from
 *  cancellation and deadline. */
CCTX_API bool cctx_can_be_done(const cctx *ctx);

/** Describe `ctx` for people: what it is now, then the path to its root, nearest first, as in
 *  "canceled: value(tenant) < deadline < background". Names of keys, no values. Writes
 *  at most `size` bytes with a final NUL, and returns the length that it would have
 *  had, as snprintf does. */
CCTX_API size_t cctx_string(const cctx *ctx, char *out, size_t size);

/** A node on the way from a context to its root. */
struct cctx_node {
  const char *kind; /**< as cctx_string calls it, such as "deadline"; static */
  const cctx
      *parent; /**< of a merge the first; NULL: the end of the way. Borrowed: it lives as
                           long as a reference to the node is held */
  size_t values_n; /**< how many values it sets: the first of cctx_value_at */
  bool metadata;   /**< whether it sets metadata */
};

/** Look at the one node `ctx`, for tools that show what a context is made of. */
CCTX_API void cctx_node(const cctx *ctx, struct cctx_node *out);

/** How many contexts are alive in this process, the two roots not counted: for leak
 *  checks in tests. */
CCTX_API size_t cctx_alive(void);

#ifdef __cplusplus
}
#endif
#endif
