/* SPDX-License-Identifier: Apache-2.0 */
/* The context variable: where an interpreter keeps its current context.
 *
 * The variable holds the innermost scope object, which points to the one it replaced. Python
 * copies the variable with every Context: a task, a thread pool job or a greenlet that copied
 * it goes on seeing the scope, whatever its maker does next. So leaving never edits a scope
 * that others may see: it sets the variable of the Context where it was attached back, and if
 * we are elsewhere it marks the scope as left, and every reader steps over it.
 *
 * A scope is left once: what was attached inside it and not left ends with it.
 */
#include "home.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

typedef struct {
  PyObject_HEAD PyObject *context; /* the Context */
  cctx *ctx;                       /* borrowed from it, for those who hold no lock */
  PyObject *outer;                 /* the scope it replaced; NULL: none */
  PyObject *mirror;                /* of bound variables: what to put back; NULL: nothing */
  struct home *home;               /* whose variable */
  const void *inside; /* the Context it was attached in; compared, never used */
  const void *tag;
  uint64_t stamp;
  bool handed_over;     /* outlives its request */
  atomic_bool ended;    /* left itself, or a scope outside it was */
  atomic_bool left;     /* from where its variable could not be reached */
  struct parcel parcel; /* takes the core's reference home */
} scope_object;

/* It has no tp_clear: the Context is there as long as its context may be read, and what leads
 * back here, such as a contextvars.Context, can be cleared. */
static int scope_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((scope_object *)self)->context);
  Py_VISIT(((scope_object *)self)->outer);
  Py_VISIT(((scope_object *)self)->mirror);
  return 0;
}

static void free_scope(scope_object *scope) {
  PyTypeObject *type = Py_TYPE(scope);
  PyObject *context = scope->context, *mirror = scope->mirror;
  PyObject_GC_UnTrack(scope);
  type->tp_free(scope);
  Py_DECREF(type);
  Py_DECREF(context);
  Py_XDECREF(mirror);
}

/* Chains can be long where attaches are never left: free them in a loop. */
static void scope_dealloc(PyObject *self) {
  struct home *home = ((scope_object *)self)->home;
  PyObject *outer;
  for (;;) {
    outer = ((scope_object *)self)->outer;
    free_scope((scope_object *)self);
    if (outer == NULL || Py_REFCNT(outer) > 1) break;
    self = outer;
  }
  Py_XDECREF(outer);
  cctx__py_drain(home);
}

static PyType_Slot scope_slots[] = {
    {Py_tp_dealloc, scope_dealloc},
    {Py_tp_traverse, scope_traverse},
    {Py_tp_doc, "What one attach makes, until its detach. Private."},
    {0, NULL},
};

PyType_Spec cctx__py_scope_spec = {
    .name = "cctx._cctx.Scope",
    .basicsize = sizeof(scope_object),
    .flags = CCTX__PY_FINAL_TYPE | Py_TPFLAGS_HAVE_GC,
    .slots = scope_slots,
};

/* ---- Where this thread stands ------------------------------------------------ */

/* While a function that Python called asks the core, it knows which state is attached. */
static _Thread_local PyThreadState *known;

/* The scope that attach made last on this thread. */
static _Thread_local PyObject *made;

/* A request begins, or a call is carried here: every bound variable is set, and put back. */
static _Thread_local bool begins_anew;

/* What is left now is not to be written: a finalizer may run inside a write. */
static _Thread_local bool is_finalizing;

/* Read what the answer is borrowed from before anything else runs. */
cctx *cctx__py_current(void) {
  cctx *ctx;
  known = PyThreadState_Get();
  ctx = cctx_current();
  known = NULL;
  return ctx;
}

cctx *cctx__py_current_ref(void) {
  cctx *ctx;
  known = PyThreadState_Get();
  ctx = cctx_current_ref();
  known = NULL;
  return ctx;
}

cctx *cctx__py_current_origin(struct cctx_origin *origin) {
  cctx *ctx;
  known = PyThreadState_Get();
  ctx = cctx_current_ref();
  cctx_current_origin(origin);
  known = NULL;
  return ctx;
}

int cctx__py_status(void) {
  int status;
  known = PyThreadState_Get();
  status = cctx_current_status();
  known = NULL;
  return status;
}

int cctx__py_attach(cctx *ctx, enum cctx_lifetime lifetime, cctx_token *token,
                    PyObject **scope) {
  struct cctx_origin origin = {.lifetime = lifetime};
  int status;
  if (cctx_strict(CCTX_STRICT_ASK)) cctx__py_place(&origin.file, &origin.line);
  known = PyThreadState_Get();
  made = NULL;
  begins_anew = lifetime != CCTX_LIFETIME_AUTO;
  status = cctx_attach_as(ctx, &origin, token);
  begins_anew = false;
  if (scope) *scope = status == CCTX_OK ? made : NULL;
  known = NULL;
  return status;
}

void cctx__py_detach(cctx_token *token) {
  const char *file = NULL;
  int line = 0;
  if (cctx_strict(CCTX_STRICT_ASK)) cctx__py_place(&file, &line);
  known = PyThreadState_Get();
  cctx_detach_at(token, file, line);
  known = NULL;
}

int cctx__py_request_begin(cctx_request *request, cctx *parent,
                           const struct cctx_request_options *options, const char *file,
                           int line) {
  int status;
  known = PyThreadState_Get();
  begins_anew = true;
  status = cctx_request_begin_at(request, parent, options, file, line);
  begins_anew = false;
  known = NULL;
  return status;
}

void cctx__py_request_end(cctx_request *request, const char *file, int line) {
  known = PyThreadState_Get();
  cctx_request_end_at(request, file, line);
  known = NULL;
}

void cctx__py_request_drop(cctx_request *request) {
  bool before = is_finalizing; /* one may be dropped by another's end */
  is_finalizing = true;
  cctx__py_request_end(request, NULL, 0);
  is_finalizing = before;
}

/* Up to 3.11 "the attached state" is one for the process. With a second interpreter "released"
 * cannot be told from "attached with another state". */
static bool is_told(void) {
#if PY_VERSION_HEX >= 0x030C0000
  return true;
#else
  return PyInterpreterState_Next(PyInterpreterState_Head()) == NULL;
#endif
}

/* The thread state that is attached on this thread, else NULL with `*detached` the one
 * that this thread has and does not hold the lock for, if any. Never takes the lock. */
static PyThreadState *attached_state(PyThreadState **detached) {
#if PY_VERSION_HEX >= 0x030C0000
#if PY_VERSION_HEX >= 0x030D0000
  PyThreadState *state = PyThreadState_GetUnchecked();
#else
  PyThreadState *state = _PyThreadState_UncheckedGet();
#endif
  *detached = state ? NULL : PyGILState_GetThisThreadState();
  return state;
#else
  PyThreadState *mine;
  *detached = NULL;
  if (known) return known;
  mine = PyGILState_GetThisThreadState();
  if (mine && is_told() && _PyThreadState_UncheckedGet() == mine) return mine;
  *detached = mine;
  return NULL;
#endif
}

bool cctx__py_is_attached(void) {
  PyThreadState *released;
  return attached_state(&released) != NULL;
}

/* Ids of thread states are unique in their interpreter only; `home` is that one's, or NULL. */
static struct cctx_place place_of(PyThreadState *state, const struct home *home) {
  uint64_t interpreter =
      home ? home->number : (uint64_t)PyInterpreterState_GetID(state->interp);
  return (struct cctx_place){
      .thread = interpreter << 40 | (state->id + 1),
      .context = state->context,
      .version = state->context_ver,
  };
}

/* The innermost scope of the running Context, borrowed from it; NULL: none. */
static scope_object *innermost(const struct home *home) {
  PyObject *found = NULL;
  if (PyContextVar_Get(home->variable, NULL, &found) < 0) {
    PyErr_Clear();
    return NULL;
  }
  Py_XDECREF(found); /* the Context keeps it */
  return found && Py_TYPE(found) == home->scope_type ? (scope_object *)found : NULL;
}

static scope_object *not_left(scope_object *scope) {
  while (scope && atomic_load(&scope->left)) scope = (scope_object *)scope->outer;
  return scope;
}

static scope_object *in_force(const struct home *home) { return not_left(innermost(home)); }

/* The home that answers for `interpreter` now, or NULL. */
static struct home *asked_home(PyInterpreterState *interpreter) {
  struct home *home = cctx__py_home(interpreter);
  return home && atomic_load(&home->asked) ? home : NULL;
}

static void see_scope(const scope_object *scope, struct cctx_sight *out) {
  if (scope == NULL) return;
  out->ctx = scope->ctx;
  out->stamp = scope->stamp;
  out->tag = scope->tag;
  out->handed_over = scope->handed_over;
}

static void look_attached(PyThreadState *state, struct cctx_sight *out) {
  const struct home *home = asked_home(state->interp);
  out->state = CCTX_SIGHT_ATTACHED;
  out->known = true;
  out->place = place_of(state, home);
  if (home == NULL) return;
  out->writable = true;
  see_scope(in_force(home), out);
}

/* What a thread reads of its state without the lock, the exit of the main interpreter may free,
 * with the states of all others. Before that it clears the flag, and waits until no reader is left
 * who may not have seen it. The core's own guard does not do while another interpreter
 * keeps the hook in force. */
static atomic_bool may_look_released;
static atomic_size_t released_readers;

/* The other threads' looks did not survive the fork. */
static void forget_readers(void) { atomic_store(&released_readers, 0); }

__attribute__((constructor)) static void guard_forks(void) {
  pthread_atfork(NULL, NULL, forget_readers);
}

void cctx__py_released(bool may_look) {
  atomic_store(&may_look_released, may_look);
  while (!may_look && atomic_load(&released_readers) != 0) sched_yield();
}

static void look_released(PyThreadState *state, struct cctx_sight *out) {
  const struct home *home = asked_home(state->interp);
  PyObject *found = NULL;
  out->place = place_of(state, home);
  if (!is_told()) return;
  out->known = home == NULL || cctx__py_peek(home, state->context, &found);
  if (found && Py_TYPE(found) == home->scope_type)
    see_scope(not_left((scope_object *)found), out);
}

static void look(struct cctx_sight *out) {
  PyThreadState *released, *state = attached_state(&released);
  if (state != NULL) {
    look_attached(state, out);
  } else if (released != NULL) {
    out->state = CCTX_SIGHT_RELEASED; /* that much is known also during the exit */
    atomic_fetch_add(&released_readers, 1);
    if (atomic_load(&may_look_released)) look_released(released, out);
    atomic_fetch_sub(&released_readers, 1);
  }
}

/* ---- Attach and leave --------------------------------------------------------- */

static void unpack_scope(struct parcel *parcel) {
  Py_DECREF((char *)parcel - offsetof(scope_object, parcel));
}

static scope_object *new_scope(struct home *home, cctx *ctx) {
  PyObject *context = cctx__py_wrap(home, ctx);
  scope_object *scope = context ? PyObject_GC_New(scope_object, home->scope_type) : NULL;
  if (scope == NULL) {
    Py_XDECREF(context);
    return NULL;
  }
  scope->context = context;
  scope->ctx = ctx;
  scope->outer = NULL;
  scope->mirror = NULL;
  scope->home = home;
  scope->inside = NULL;
  scope->tag = NULL;
  scope->stamp = 0;
  scope->handed_over = false;
  atomic_init(&scope->ended, false);
  scope->parcel.unpack = unpack_scope;
  atomic_init(&scope->left, false);
  return scope;
}

/* What holds nothing that is tracked is in no cycle. */
static void track_if_needed(scope_object *scope) {
  if (PyObject_GC_IsTracked(scope->context) ||
      (scope->outer && PyObject_GC_IsTracked(scope->outer)))
    PyObject_GC_Track(scope);
}

/* Bound variables hold what scopes mirrored here that were left from elsewhere: put it back. */
static void repair(const struct home *home) {
  scope_object *at = innermost(home);
  for (; at && atomic_load(&at->left); at = (scope_object *)at->outer)
    if (at->inside == PyThreadState_Get()->context) cctx__py_unmirror(home, &at->mirror);
}

/* What a mirror holds leads to a Context, which has the scope. */
static bool mirror(struct home *home, scope_object *scope, bool anew) {
  const scope_object *outer = (const scope_object *)scope->outer;
  const cctx *from = outer ? outer->ctx : cctx_background();
  PyObject *entries;
  if (home->bound == NULL) return true;
  if (!cctx__py_mirror(home, anew ? NULL : from, scope->ctx, &entries)) return false;
  scope->mirror = entries; /* whole: who leaves it meanwhile finds none */
  if (entries && !PyObject_GC_IsTracked((PyObject *)scope)) PyObject_GC_Track(scope);
  return true;
}

bool cctx__py_is_from_variable(const struct home *home, const cctx *ctx) {
  const scope_object *scope;
  repair(home);
  scope = in_force(home);
  return (scope ? scope->ctx : cctx_background()) == ctx;
}

/* What had no memory to be attached whole. PyContextVar_Set may fail after it has set the variable,
 * for want of a token; and bound variables may fail to follow. */
static void drop_failed(const struct home *home, scope_object *scope) {
  atomic_store(&scope->left, true);
  PyErr_Clear();
  if (innermost(home) == scope) cctx__py_write(home, scope->outer ? scope->outer : Py_None);
  Py_DECREF(scope);
}

static bool has_ended(PyObject *scope) {
  return scope && atomic_load(&((scope_object *)scope)->ended);
}

/* What it replaced was left, by a finalizer, since that was looked up. */
static void skip_ended(scope_object *scope) {
  scope_object *outer = (scope_object *)scope->outer;
  while (outer && atomic_load(&outer->ended)) outer = (scope_object *)outer->outer;
  Py_XINCREF(outer);
  Py_SETREF(scope->outer, (PyObject *)outer);
}

static int attach(cctx *ctx, uint64_t stamp, const void *tag, bool handed_over,
                  void **variable) {
  struct home *home = cctx__py_home(PyInterpreterState_Get());
  PyObject *type, *error, *traceback, *outer;
  scope_object *scope;
  bool had_ended, anew = begins_anew;
  int status = CCTX_ENOMEM;
  known = NULL; /* from here on Python code may run, and attach for itself */
  begins_anew = false;
  if (home == NULL) return CCTX_ENOMEM;
  PyErr_Fetch(&type, &error, &traceback);
  scope = new_scope(home, ctx);
  if (scope) {
    if (home->bound) repair(home);
    outer = (PyObject *)in_force(home); /* what was left elsewhere is kept no longer */
    Py_XINCREF(outer);
    scope->outer = outer;
    had_ended = has_ended(outer);
    track_if_needed(scope);
    scope->stamp = stamp;
    scope->tag = tag;
    scope->handed_over = handed_over;
    if (cctx__py_write(home, (PyObject *)scope) == 0) {
      if (has_ended(outer) && !had_ended) skip_ended(scope);
      scope->inside = PyThreadState_Get()->context;
      if (mirror(home, scope, anew)) status = CCTX_OK;
    }
    if (status == CCTX_OK) {
      *variable = scope;
      made = (PyObject *)scope; /* last: a finalizer may have attached meanwhile */
    } else {
      drop_failed(home, scope);
    }
  }
  PyErr_Restore(type, error, traceback);
  return status;
}

/* Whether `scope` is the innermost scope here, or outside it. */
static bool is_reachable(const struct home *home, const scope_object *scope) {
  const scope_object *at = innermost(home);
  if (scope->inside != PyThreadState_Get()->context) return false;
  while (at && at != scope) at = (const scope_object *)at->outer;
  return at != NULL;
}

/* Put back what `scope` replaced; those inside it end with it. For lack of memory they stay where
 * they are, and are skipped. */
static void restore(const struct home *home, scope_object *scope) {
  scope_object *at = innermost(home), *outer = (scope_object *)scope->outer;
  for (; at != scope; at = (scope_object *)at->outer) atomic_store(&at->ended, true);
  cctx__py_unmirror(home, &scope->mirror);
  for (;;) { /* a finalizer may have left what is put back */
    bool had_ended, ok;
    outer = not_left(outer);
    had_ended = has_ended((PyObject *)outer);
    ok = cctx__py_write(home, outer ? (PyObject *)outer : Py_None) == 0;
    if (!ok) break;
    if (had_ended || !has_ended((PyObject *)outer)) return;
    outer = (scope_object *)outer->outer;
  }
  PyErr_Clear();
  if (!is_reachable(home, scope)) return; /* it failed after it was done */
  for (at = innermost(home); at != (scope_object *)scope->outer;
       at = (scope_object *)at->outer)
    atomic_store(&at->left, true);
}

static void leave_here(const struct home *home, scope_object *scope) {
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  if (is_reachable(home, scope))
    restore(home, scope);
  else
    atomic_store(&scope->left, true);
  PyErr_Restore(type, error, traceback);
}

static void forget(void *variable) {
  scope_object *scope = variable;
  cctx__py_send(scope->home, &scope->parcel);
}

static int leave(void *variable) {
  scope_object *scope = variable;
  PyThreadState *detached, *state = attached_state(&detached);
  struct home *home = state ? cctx__py_home(state->interp) : NULL;
  int status = CCTX_OK;
  known = NULL; /* from here on Python code may run */
  if (atomic_exchange(&scope->ended, true))
    status = CCTX_ESTALE;
  else if (home != NULL && home == scope->home && !is_finalizing)
    leave_here(home, scope);
  else /* not ours to touch without its interpreter's lock */
    atomic_store(&scope->left, true);
  forget(scope);
  if (home) cctx__py_drain(home);
  return status;
}

void cctx__py_tidy(struct home *home) {
  scope_object *scope = innermost(home);
  if (scope == NULL || !atomic_load(&scope->left)) return;
  if (home->bound) repair(home);
  scope = not_left(scope);
  if (cctx__py_write(home, scope ? (PyObject *)scope : Py_None) < 0) PyErr_Clear();
}

const struct cctx_interpreter cctx__py_interpreter = {look, attach, leave, forget};
