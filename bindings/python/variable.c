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

#include <stddef.h>

typedef struct {
  PyObject_HEAD cctx *ctx; /* owned */
  PyObject *outer;         /* the scope it replaced; NULL: none */
  struct home *home;       /* whose variable */
  const void *inside;      /* the Context it was attached in; compared, never used */
  const void *tag;
  uint64_t stamp;
  bool handed_over;     /* outlives its request */
  atomic_bool ended;    /* left itself, or a scope outside it was */
  atomic_bool left;     /* from where its variable could not be reached */
  struct parcel parcel; /* takes the core's reference home */
} scope_object;

static void free_scope(scope_object *scope) {
  PyTypeObject *type = Py_TYPE(scope);
  cctx_unref(scope->ctx);
  type->tp_free(scope);
  Py_DECREF(type);
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
    {Py_tp_doc, "What one attach makes, until its detach. Private."},
    {0, NULL},
};

PyType_Spec cctx__py_scope_spec = {
    .name = "cctx._cctx.Scope",
    .basicsize = sizeof(scope_object),
    .flags = CCTX__PY_FINAL_TYPE,
    .slots = scope_slots,
};

/* ---- Where this thread stands ------------------------------------------------ */

/* While a function that Python called asks the core, it knows which state is attached. */
static _Thread_local PyThreadState *known;

cctx *cctx__py_current_ref(void) {
  cctx *ctx;
  known = PyThreadState_Get();
  ctx = cctx_current_ref();
  known = NULL;
  return ctx;
}

int cctx__py_attach(cctx *ctx, cctx_token *token) {
  int status;
  known = PyThreadState_Get();
  status = cctx_attach(ctx, token);
  known = NULL;
  return status;
}

void cctx__py_detach(cctx_token *token) {
  known = PyThreadState_Get();
  cctx_detach(token);
  known = NULL;
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
  /* Up to 3.11 "the attached state" is one for the process. With a second interpreter
   * "detached" cannot be told from "attached with another state": then say nothing. */
  PyThreadState *mine = PyGILState_GetThisThreadState();
  *detached = NULL;
  if (known) return known;
  if (mine && PyInterpreterState_Next(PyInterpreterState_Head()) == NULL &&
      _PyThreadState_UncheckedGet() == mine)
    return mine;
  *detached = mine;
  return NULL;
#endif
}

/* Ids of thread states are unique in their interpreter only. */
static struct cctx_place place_of(PyThreadState *state) {
  uint64_t interpreter = (uint64_t)PyInterpreterState_GetID(state->interp);
  return (struct cctx_place){
      .thread = interpreter << 40 | (PyThreadState_GetID(state) + 1),
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

static scope_object *in_force(const struct home *home) {
  scope_object *scope = innermost(home);
  while (scope && atomic_load(&scope->left)) scope = (scope_object *)scope->outer;
  return scope;
}

static void look(struct cctx_sight *out) {
  PyThreadState *detached, *state = attached_state(&detached);
  struct home *home;
  scope_object *scope;
  if (state == NULL) {
    if (detached == NULL) return;
    out->state = CCTX_SIGHT_RELEASED;
    out->place = place_of(detached);
    return;
  }
  out->state = CCTX_SIGHT_ATTACHED;
  out->known = true;
  out->place = place_of(state);
  home = cctx__py_home(state->interp);
  if (home == NULL || !atomic_load(&home->asked)) return;
  out->writable = true;
  scope = in_force(home);
  if (scope == NULL) return;
  out->ctx = scope->ctx;
  out->stamp = scope->stamp;
  out->tag = scope->tag;
  out->handed_over = scope->handed_over;
}

/* ---- Attach and leave --------------------------------------------------------- */

static int set_variable(const struct home *home, PyObject *value) {
  PyObject *token = PyContextVar_Set(home->variable, value);
  Py_XDECREF(token);
  return token ? 0 : -1;
}

static void unpack_scope(struct parcel *parcel) {
  Py_DECREF((char *)parcel - offsetof(scope_object, parcel));
}

static scope_object *new_scope(struct home *home, cctx *ctx) {
  scope_object *scope = PyObject_New(scope_object, home->scope_type);
  if (scope == NULL) return NULL;
  scope->ctx = cctx_ref(ctx);
  scope->outer = NULL;
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

static int attach(cctx *ctx, uint64_t stamp, const void *tag, bool handed_over,
                  void **variable) {
  struct home *home = cctx__py_home(PyInterpreterState_Get());
  PyObject *type, *error, *traceback, *outer;
  scope_object *scope;
  int status = CCTX_ENOMEM;
  known = NULL; /* from here on Python code may run */
  if (home == NULL) return CCTX_ENOMEM;
  PyErr_Fetch(&type, &error, &traceback);
  scope = new_scope(home, ctx);
  if (scope) {
    outer = (PyObject *)in_force(home); /* what was left elsewhere is kept no longer */
    Py_XINCREF(outer);
    scope->outer = outer;
    scope->stamp = stamp;
    scope->tag = tag;
    scope->handed_over = handed_over;
    if (set_variable(home, (PyObject *)scope) == 0) {
      scope->inside = PyThreadState_Get()->context;
      *variable = scope;
      status = CCTX_OK;
    } else {
      Py_DECREF(scope);
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

/* Put back what `scope` replaced; those inside it end with it. */
static int restore(const struct home *home, scope_object *scope) {
  scope_object *at = innermost(home), *outer = (scope_object *)scope->outer;
  for (; at != scope; at = (scope_object *)at->outer) atomic_store(&at->ended, true);
  while (outer && atomic_load(&outer->left)) outer = (scope_object *)outer->outer;
  return set_variable(home, outer ? (PyObject *)outer : Py_None);
}

static void leave_here(const struct home *home, scope_object *scope) {
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  /* Failing to restore for lack of memory must not leave the context in force either. */
  if (!is_reachable(home, scope) || restore(home, scope) < 0)
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
  else if (home != NULL && home == scope->home)
    leave_here(home, scope);
  else /* not ours to touch without its interpreter's lock */
    atomic_store(&scope->left, true);
  forget(scope);
  if (home) cctx__py_drain(home);
  return status;
}

const struct cctx_interpreter cctx__py_interpreter = {look, attach, leave, forget};
