/* SPDX-License-Identifier: Apache-2.0 */
/* The backup store: a request's context, found again where it was lost. */
#ifndef CCTX_BACKUP_H
#define CCTX_BACKUP_H

#include <cctx/metadata.h>
#include <cctx/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The server's side -----------------------------------------------------------
 *
 * Code that was written to pass its context on sometimes loses it: a library in between takes
 * none. The server keeps a copy where it enters the handler, and a client takes from it
 * what its own context lacks:
 *
 *     cctx_backup backup;
 *     if (cctx_backup_enter(&backup, ctx) == 0) {
 *       handle(backup.ctx, request);
 *       cctx_backup_leave(&backup);
 *     }
 *
 *     cctx *out;                                             // somewhere below
 *     if (cctx_recover(&out, NULL, ctx, NULL, NULL) == 0) {
 *       call(out);
 *       cctx_unref(out);
 *     }
 *
 * The copy is the current context, and goes where that goes: with tasks and coroutines, never
 * from one to another.
 */

/** A handler that was entered. */
typedef struct cctx_backup {
  cctx *ctx;        /**< its session, owned by the backup until it is left */
  cctx_token token; /**< of its scope */
  bool is_session;  /**< else backups are switched off */
} cctx_backup;

/** Make a session of `ctx` current. On an error nothing has changed, and `backup` may be left
 *  to no effect: CCTX_ENOMEM. Where backups are switched off, `ctx` itself is attached, and
 *  is no session. Use the macro. */
CCTX_MUST_USE CCTX_API int cctx_backup_enter_at(cctx_backup *backup, cctx *ctx,
                                                const char *file, int line);
#define cctx_backup_enter(backup, ctx)                                                     \
  cctx_backup_enter_at((backup), (ctx), __FILE__, __LINE__)

/** End its session, put back what was current before, and give the session back. Cancels
 *  nothing. Once, on any thread, as cctx_request_end. CCTX_ESTALE if its scope had ended. */
CCTX_API int cctx_backup_leave_at(cctx_backup *backup, const char *file, int line);
#define cctx_backup_leave(backup) cctx_backup_leave_at((backup), __FILE__, __LINE__)

/* ---- The client's side ----------------------------------------------------------- */

/** Decides whether to recover: `prev` is the session's context, `cur` the caller's. 1 to recover
 *  to `*out`, a reference that the handler makes (left NULL: to `cur`); 0 not to, whatever
 *  `*out` is; a negative CCTX_E code stops the recovery with it. Called with no lock held,
 *  and what is current is what was so at the call. */
typedef int cctx_backup_handler(void *arg, cctx *prev, cctx *cur, cctx **out);

/** Flags of a recovery. */
#define CCTX_RECOVER_DEADLINE 1u /**< not later than the session's deadline */
#define CCTX_RECOVER_CANCELLATION                                                          \
  2u                                /**< canceled with the session; its deadline likewise */
#define CCTX_RECOVER_INVALID 4u     /**< also from a session that ended or is disabled */
#define CCTX_RECOVER_NO_METADATA 8u /**< of no scope */

/** The bit of a scope in struct cctx_recovery. */
#define CCTX_SCOPE_BIT(scope) (1u << (scope))

/** What is recovered. All zero: metadata of the scope request. */
struct cctx_recovery {
  cctx_backup_handler *handler; /**< asked first; NULL: recover */
  void *arg;                    /**< of the handler */
  unsigned flags;               /**< CCTX_RECOVER_ or 0 */
  unsigned scopes;              /**< of metadata, each CCTX_SCOPE_BIT; 0: request alone */
  const cctx_key *const *keys;  /**< of values; NULL entries are allowed, and name none */
  size_t keys_n;
};

/** Why something was recovered, or nothing:
 *
 *    XX(REASON, "word")
 */
#define CCTX_RECOVER_REASON_MAP(XX)                                                        \
  XX(RECOVERED, "recovered")   /* something was */                                         \
  XX(COMPLETE, "complete")     /* the caller's context lacks nothing */                    \
  XX(DECLINED, "declined")     /* the handler said no */                                   \
  XX(NO_SESSION, "no_session") /* nothing is bound, or it cannot be known what is */       \
  XX(ENDED, "ended")           /* what is bound is of a request that is over */            \
  XX(DISABLED, "disabled")     /* it was disabled, or its time is up */                    \
  XX(MUTABLE, "mutable")       /* it is of the mutable kind */                             \
  XX(OFF, "off")               /* backups are switched off in this process */

enum cctx_recover_reason {
#define XX(reason, word) CCTX_REASON_##reason,
  CCTX_RECOVER_REASON_MAP(XX)
#undef XX
};

/** The word for a reason; NULL for any other number. A static string. */
CCTX_API const char *cctx_recover_reason_word(int reason);

/** What a recovery did. */
struct cctx_recovered {
  enum cctx_recover_reason reason;
  unsigned pairs;    /**< of metadata that were taken over */
  unsigned left_out; /**< pairs that would have been over a budget */
  unsigned values;   /**< that were taken over */
  bool handled;      /**< the handler put another context in the caller's place */
  bool deadline;     /**< it got an earlier deadline */
  bool cancellation; /**< it ends with the session */
};

/** Take over from a session what `cur` lacks; what it has wins. `*out` gets a context with
 *  a reference of its own, `cur` itself if there is nothing to recover, and `result` (or NULL)
 *  says what was done. `prev` NULL: the current context; `how` NULL: all zero. Never taken
 *  over without being asked for: values, deadline, cancellation. CCTX_ENOMEM, or what the
 *  handler answered: `*out` and `result` are as they were. */
CCTX_MUST_USE CCTX_API int cctx_recover(cctx **out, cctx *prev, cctx *cur,
                                        const struct cctx_recovery *how,
                                        struct cctx_recovered *result);

/* ---- Options of the process ------------------------------------------------------ */

/** What backups do in this process. Begin with CCTX_BACKUP_OPTIONS. */
struct cctx_backup_options {
  bool enable; /**< else enter makes no session, and recover recovers nothing */
  bool async;  /**< threads made by pthread_create alone inherit; see libcctx_preload.so */
  struct cctx_manager_options manager; /**< of the default manager */
};
#define CCTX_BACKUP_OPTIONS                                                                \
  { true, false, CCTX_MANAGER_OPTIONS }

/** Use `options` (NULL: CCTX_BACKUP_OPTIONS), and over them what CLOUDWEGO_SESSION_CONFIG_KEY, and
 *  over that what CCTX_SESSION_CONFIG_KEY in the environment says; see cctx_backup_parse. The default
 *  manager is closed, and made anew at its next use. Not called: the same with NULL, at first
 *  use. CCTX_EINVAL for options out of their bounds: nothing has changed. Not while another
 *  thread calls setenv. */
CCTX_API int cctx_backup_configure(const struct cctx_backup_options *options);

/** What is in use. */
CCTX_API void cctx_backup_options(struct cctx_backup_options *out);

/** Read "[async][,shards][,gc]" over `options`: true or false; a number; a duration as Go writes
 *  it, such as 10m, 1.5s or 0, which is no sweeping. An empty field keeps what is there, and so
 *  does one that is malformed: that is said to the log, by its name. Returns how many were. */
CCTX_API int cctx_backup_parse(const char *text, size_t len,
                               struct cctx_backup_options *options);

/* ---- Across threads --------------------------------------------------------------- */

/** What becomes of a value when its context goes to another thread: write another one to
 *  `captured`, which is nil, and return true; false keeps `value` as it is. A pointer comes with
 *  a reference that is given away; the bytes of a string must be there after the call. Nil
 *  drops it: it reads as nil. */
typedef bool cctx_capture_fn(void *arg, const cctx_variant *value, cctx_variant *captured);

/** Call `fn` for the value of `key` in each capture, to clone it, to freeze it or to drop it; NULL:
 *  no more. CCTX_EBUSY if there are CCTX_CAPTURES_MAX. Before there is a second thread. */
CCTX_API int cctx_on_capture(cctx_key *key, cctx_capture_fn *fn, void *arg);
#define CCTX_CAPTURES_MAX 32

/** `ctx`, for another thread: a reference to it, or to a child in which what cctx_on_capture
 *  names is replaced. NULL for lack of memory. Threads, bound functions and the like of this
 *  library call it. */
CCTX_MUST_USE CCTX_API cctx *cctx_capture(cctx *ctx);

/* ---- What went wrong -------------------------------------------------------------- */

/** Called where a call leaves the process, with the context that it was given, before a recovery:
 *  CCTX_OK, or CCTX_ESTALE if `current` (NULL: what is current) belongs to a session, `ctx` was not made of
 *  its context, and comes from a root: somebody lost the context. Counted; in strict mode it
 *  is said to the log. */
CCTX_API int cctx_check_egress_at(const cctx *ctx, const cctx *current, const char *file,
                                  int line);
#define cctx_check_egress(ctx) cctx_check_egress_at((ctx), NULL, __FILE__, __LINE__)

/** A session that is there, or one that is bound to an id. */
struct cctx_session_info {
  const cctx *ctx;  /**< good during the call */
  int state;        /**< one of enum cctx_session_state */
  int64_t since;    /**< when it was made or bound: ns as cctx_now() */
  const char *file; /**< where it was made; "" if not known, or of a binding */
  int line;
  bool is_bound; /**< in a manager, to: */
  uint64_t id;
};
typedef void cctx_session_visitor(void *arg, const struct cctx_session_info *info);

/** Call `fn` for each session that is `age` ns old at least (0: for all), and for each such
 *  binding of a manager, with no lock held: a list of leaks, or of all. Returns how many, or
 *  CCTX_ENOMEM. Requests of cctx_request_begin are not listed. */
CCTX_API int cctx_sessions(int64_t age, cctx_session_visitor *fn, void *arg);

/** Mistakes there were, in this process. */
struct cctx_backup_mistakes {
  uint64_t lost;  /**< contexts that cctx_check_egress found lost */
  uint64_t stale; /**< cctx_stale_detaches(), and unbinds of managers that found nothing */
  uint64_t left;  /**< threads that ended with something attached */
};
CCTX_API void cctx_backup_mistakes(struct cctx_backup_mistakes *out);

#ifdef __cplusplus
}
#endif
#endif
