/* SPDX-License-Identifier: Apache-2.0 */
/* The preload library: threads that a program starts by pthread_create inherit its context.
 *
 * For programs that cannot be changed:
 *
 *     LD_PRELOAD=libcctx_preload.so CCTX_SESSION_CONFIG_KEY=true program
 *
 * It links no core, and does nothing until one is in the process, backups are async, and
 * something is current. What is inherited ends with its request. Threads of the core itself serve
 * everybody, and inherit nothing.
 */
#define _GNU_SOURCE 1
#include <cctx/backup.h>
#include <cctx/interpreter.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* What is used of the core. */
static struct core {
  void (*options)(struct cctx_backup_options *out);
  cctx *(*background)(void);
  cctx *(*current_ref)(void);
  cctx *(*capture)(cctx *ctx);
  void (*unref)(cctx *ctx);
  int (*attach_as)(cctx *ctx, const struct cctx_origin *origin, cctx_token *token);
  int (*detach_at)(cctx_token *token, const char *file, int line);
} core;
static atomic_bool is_there; /* `core` is filled */

/* ISO C has no cast from an object's address to a function's. */
#define FIND(field, name) (*(void **)&found->field = dlsym(handle, (name)))

static bool find_all(void *handle, struct core *found) {
  return FIND(options, "cctx_backup_options") && FIND(background, "cctx_background") &&
         FIND(current_ref, "cctx_current_ref") && FIND(capture, "cctx_capture") &&
         FIND(unref, "cctx_unref") && FIND(attach_as, "cctx_attach_as") &&
         FIND(detach_at, "cctx_detach_at");
}

/* Whoever loaded it, and however late: there is one of its name in a process, or a program that
 * has it inside. Two threads that look at once find the same. */
static bool has_core(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  struct core found;
  void *handle;
  if (atomic_load(&is_there)) return true;
  handle = dlopen("libcctx.so.0", RTLD_LAZY | RTLD_NOLOAD); /* kept: it stays */
  if (!find_all(handle ? handle : RTLD_DEFAULT, &found)) return false;
  pthread_mutex_lock(&lock); /* the first is published whole, and once */
  if (!atomic_load(&is_there)) core = found;
  atomic_store(&is_there, true);
  pthread_mutex_unlock(&lock);
  return true;
}

static bool is_of_core(void *caller) {
  Dl_info own, others;
  return dladdr(caller, &others) && dladdr(*(void **)&core.current_ref, &own) &&
         own.dli_fbase == others.dli_fbase;
}

/* What the new thread is to inherit, a reference; NULL: nothing. */
static cctx *inheritance(void *caller) {
  struct cctx_backup_options options;
  cctx *ctx, *captured = NULL;
  if (!has_core() || is_of_core(caller)) return NULL;
  core.options(&options);
  if (!options.async) return NULL;
  ctx = core.current_ref();
  if (ctx != core.background()) captured = core.capture(ctx);
  core.unref(ctx);
  return captured;
}

struct start {
  cctx *ctx; /* owned */
  void *(*fn)(void *arg);
  void *arg;
};

static void leave(void *token) { core.detach_at(token, __FILE__, __LINE__); }

/* Without memory for the scope the thread works for nobody. */
static void *run(void *memory) {
  struct start start = *(struct start *)memory;
  struct cctx_origin origin = {
      .lifetime = CCTX_INHERITED, .file = __FILE__, .line = __LINE__};
  cctx_token token;
  int status = core.attach_as(start.ctx, &origin, &token);
  void *result;
  core.unref(start.ctx);
  free(memory);
  if (status != CCTX_OK) return start.fn(start.arg);
  pthread_cleanup_push(leave, &token);
  result = start.fn(start.arg);
  pthread_cleanup_pop(true);
  return result;
}

/* What comes next in line. Found when this library is loaded: to look for it later could wait
 * for a library whose constructor waits for this thread. */
static _Atomic(create_fn *) original;

static create_fn *need_original(void) {
  create_fn *next = atomic_load(&original);
  if (next == NULL) {
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    atomic_store(&original, next);
  }
  return next;
}

__attribute__((constructor)) static void find_early(void) {
  need_original();
  has_core();
}

CCTX_API int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                            void *(*fn)(void *arg), void *arg) {
  create_fn *next = need_original();
  cctx *ctx = inheritance(__builtin_return_address(0));
  struct start *start = ctx ? malloc(sizeof *start) : NULL;
  int error;
  if (start == NULL) {
    if (ctx) core.unref(ctx);
    return next(thread, attr, fn, arg);
  }
  *start = (struct start){ctx, fn, arg};
  error = next(thread, attr, run, start);
  if (error != 0) {
    core.unref(ctx);
    free(start);
  }
  return error;
}
