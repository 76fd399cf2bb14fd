/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what a request left behind for code that was not given its context. */
#ifndef CCTX_SESSION_H
#define CCTX_SESSION_H

#include <cctx/current.h>
#include <cctx/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sessions ------------------------------------------------------------------
 *
 * A session is a context with a request's mark of its own, kept where code finds it that was
 * not given the context: as what is current (attach binds it, detach unbinds it), or in a
 * manager, under an id of the host's. All that is derived from it belongs to it:
 *
 *     cctx *session = cctx_with_session(ctx, CCTX_NEVER);
 *     cctx_token token;
 *     if (session && cctx_attach(session, &token) == 0) {
 *       handle(request);                  // cctx_session_current() finds it
 *       cctx_session_end(session);
 *       cctx_detach(&token);
 *     }
 *     cctx_unref(session);
 *
 * It is valid until it ends, which its server says, or until somebody disables it or its time is
 * up. Each is one flag in the mark: nothing is walked, and no timer runs. A context of
 * cctx_request_begin is a session too.
 */

/** What a session is good for. */
enum cctx_session_state {
  CCTX_SESSION_NONE,     /**< there is no session */
  CCTX_SESSION_VALID,    /**< its request is served */
  CCTX_SESSION_DISABLED, /**< somebody disabled it, or its time is up */
  CCTX_SESSION_ENDED     /**< its request is over, or one that this began inside of */
};

/** The word for a state: "none", "valid", "disabled", "ended"; NULL for any other number. A
 *  static string. */
CCTX_API const char *cctx_session_state_word(int state);

/** A child of `parent` that bears a new mark. After `timeout` ns (CCTX_NEVER: no limit) it is
 *  disabled. NULL for lack of memory. `file`:`line` are what a list of sessions shows. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_session_at(cctx *parent, int64_t timeout,
                                                  const char *file, int line);
#define cctx_with_session(parent, timeout)                                                 \
  cctx_with_session_at((parent), (timeout), __FILE__, __LINE__)

/** The state of the session that `ctx` belongs to, one of enum cctx_session_state. */
CCTX_API int cctx_session_state(const cctx *ctx);

/** Disable the session that `ctx` belongs to, and with it all that was derived from it: 1 if
 *  this call did, 0 if it was not valid any more, CCTX_ENOTFOUND if there is none. What is
 *  current stays so: nothing is canceled. */
CCTX_API int cctx_session_disable(cctx *ctx);

/** End it: whoever only inherited it finds background as current from here on. Cancels
 *  nothing. 1 if this call did, 0 if it had ended, CCTX_ENOTFOUND if there is none. */
CCTX_API int cctx_session_end_at(cctx *ctx, const char *file, int line);
#define cctx_session_end(ctx) cctx_session_end_at((ctx), __FILE__, __LINE__)

/** What is current, if it belongs to a session, with a reference of its own; NULL if not.
 *  `state` (or NULL) gets what it is good for, and CCTX_SESSION_ENDED with NULL where what
 *  was inherited is over. */
CCTX_MUST_USE CCTX_API cctx *cctx_session_current(int *state);

/* ---- Sessions that change -------------------------------------------------------
 *
 * A context never changes, but a session of the mutable kind holds variables beside it, which
 * all of its holders share, on all threads. They are no values of the context: cctx_value
 * does not see them. Nothing recovers from such a session.
 */

/** cctx_with_session of the mutable kind, without variables. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_variables_at(cctx *parent, int64_t timeout,
                                                    const char *file, int line);
#define cctx_with_variables(parent, timeout)                                               \
  cctx_with_variables_at((parent), (timeout), __FILE__, __LINE__)

/** Set a variable of the session that `ctx` belongs to; the value is copied, and hooks run
 *  with no lock held; a retain hook may run several times, and must not set
 *  one each time. CCTX_ENOTFOUND if that is not of the mutable kind, CCTX_EINVAL for a pointer
 *  with `release` and no `retain`, CCTX_ENOMEM: it is as it was. */
CCTX_API int cctx_variable_set(cctx *ctx, cctx_key *key, cctx_variant value);

/** All variables as they are now, as the values of a context with a reference of its own, which
 *  later changes do not touch; NULL if the session is not of the mutable kind. */
CCTX_MUST_USE CCTX_API cctx *cctx_variables(const cctx *ctx);

/* ---- Managers -------------------------------------------------------------------
 *
 * Where what runs has no stack of its own that could hold a session - fibers, jobs of a queue -
 * a manager finds it by the host's 64-bit id of that. An id is never a thread's: those are
 * used again.
 */
typedef struct cctx_manager cctx_manager;

/** How a manager works. Begin with CCTX_MANAGER_OPTIONS. */
struct cctx_manager_options {
  int shards; /**< 1 to CCTX_SHARDS_MAX: how many tables, each with its own lock */
  int64_t
      gc_interval; /**< ns between two sweeps, less where many more are bound by then; 0:
                            none by itself */
  int64_t max_age; /**< ns after which a sweep takes any binding; 0: never */
  bool thread;     /**< a thread of its own sweeps; else who binds sweeps one shard */
};
#define CCTX_SHARDS_MAX 65536
#define CCTX_MANAGER_OPTIONS                                                               \
  { 100, 600 * CCTX_SECOND, 0, false }

/** Make a manager in `*out`, as `options` say (NULL: CCTX_MANAGER_OPTIONS). CCTX_EINVAL for
 *  a number out of its bounds, CCTX_ENOMEM also if its thread cannot be started. */
CCTX_API int cctx_manager_new(cctx_manager **out,
                              const struct cctx_manager_options *options);

/** Stop its sweeping, wait for its thread, and give all sessions back. No other call may be
 *  under way, but for the one that runs the release hook which closes it. NULL closes the default one, which the next use makes anew: that is always
 *  allowed. */
CCTX_API void cctx_manager_close(cctx_manager *manager);

/** Bind `ctx`, which must belong to a session, to `id`, on top of what is bound to it. `*serial`
 *  (or NULL) is for cctx_manager_unbind; never 0. Takes a reference of its own. `manager`
 *  NULL, here as below, is the default one of this process. CCTX_EINVAL if `ctx` is NULL or
 *  belongs to none, CCTX_ENOMEM: nothing has changed. */
CCTX_API int cctx_manager_bind(cctx_manager *manager, uint64_t id, cctx *ctx,
                               uint64_t *serial);

/** What was bound to `id` last, with a reference of its own; NULL unless it is valid. `state` (or
 *  NULL) gets what it is. Never what is below it. */
CCTX_MUST_USE CCTX_API cctx *cctx_manager_get(cctx_manager *manager, uint64_t id,
                                              int *state);

/** Take the binding with that serial away, and those made on top of it: what was bound before
 *  is so again. 0 for `serial`: all bindings of `id`. CCTX_ESTALE if there is none, which is
 *  counted and does nothing. Ends no session. */
CCTX_API int cctx_manager_unbind(cctx_manager *manager, uint64_t id, uint64_t serial);

/** Take away what has ended, was disabled or is too old: how many bindings. Any thread, any time. */
CCTX_API size_t cctx_manager_sweep(cctx_manager *manager);

/** What a manager has done. */
struct cctx_manager_stats {
  size_t bound;   /**< bindings there are */
  uint64_t swept; /**< bindings that a sweep took */
  uint64_t stale; /**< calls of unbind that found nothing */
};
CCTX_API void cctx_manager_stats(cctx_manager *manager, struct cctx_manager_stats *out);

#ifdef __cplusplus
}
#endif
#endif
