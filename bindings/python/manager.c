/* SPDX-License-Identifier: Apache-2.0 */
/* Managers: the type cctx.SessionManager. */
#include "home.h"

typedef struct {
  PyObject_HEAD cctx_manager *manager; /* owned; NULL: the default one */
  bool is_closed;
} manager_object;

/* None is never; it is 0 in the core. */
static int to_interval(PyObject *seconds, const char *name, int64_t *out) {
  if (cctx__py_to_timeout(seconds, name, out) < 0) return -1;
  if (seconds == Py_None) *out = 0;
  return 0;
}

static PyObject *raise(int status) {
  if (status == CCTX_ENOMEM) return PyErr_NoMemory();
  PyErr_Format(PyExc_ValueError,
               "shards must be from 1 to %d, gc_interval and max_age not negative",
               CCTX_SHARDS_MAX);
  return NULL;
}

static PyObject *manager_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"shards", "gc_interval", "max_age", "thread", NULL};
  struct cctx_manager_options options = CCTX_MANAGER_OPTIONS;
  PyObject *interval = NULL, *age = Py_None;
  int thread = false, status;
  manager_object *self;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iOOp:SessionManager", names,
                                   &options.shards, &interval, &age, &thread) ||
      (interval && to_interval(interval, "gc_interval", &options.gc_interval) < 0) ||
      to_interval(age, "max_age", &options.max_age) < 0)
    return NULL;
  options.thread = thread;
  self = (manager_object *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  self->is_closed = true;
  status = cctx_manager_new(&self->manager, &options);
  if (status != CCTX_OK) {
    Py_DECREF(self);
    return raise(status);
  }
  self->is_closed = false;
  return (PyObject *)self;
}

static PyObject *manager_default(PyObject *type, PyObject *unused) {
  (void)unused;
  return ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
}

static void manager_dealloc(PyObject *object) {
  manager_object *self = (manager_object *)object;
  PyTypeObject *type = Py_TYPE(object);
  if (self->manager && !self->is_closed) { /* as in close */
    cctx_manager *manager = self->manager;
    PyObject *error, *value, *traceback;
    PyErr_Fetch(&error, &value, &traceback);
    Py_BEGIN_ALLOW_THREADS;
    cctx_manager_close(manager);
    Py_END_ALLOW_THREADS;
    PyErr_Restore(error, value, traceback);
  }
  type->tp_free(object);
  Py_DECREF(type);
}

static bool is_open(const manager_object *self) {
  if (!self->is_closed) return true;
  PyErr_SetString(PyExc_RuntimeError, "this SessionManager is closed");
  return false;
}

/* Its thread may be giving back what needs this interpreter. */
static PyObject *manager_close(PyObject *object, PyObject *unused) {
  manager_object *self = (manager_object *)object;
  cctx_manager *manager = self->manager;
  (void)unused;
  if (self->is_closed) Py_RETURN_NONE;
  self->is_closed = manager != NULL;
  Py_BEGIN_ALLOW_THREADS;
  cctx_manager_close(manager);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

static PyObject *manager_enter(PyObject *object, PyObject *unused) {
  (void)unused;
  if (!is_open((manager_object *)object)) return NULL;
  Py_INCREF(object);
  return object;
}

static PyObject *manager_exit(PyObject *object, PyObject *unused) {
  Py_XDECREF(manager_close(object, unused));
  Py_RETURN_FALSE;
}

static int to_id(PyObject *object, const char *name, unsigned long long *id) {
  *id = PyLong_Check(object) ? PyLong_AsUnsignedLongLong(object) : 0;
  if (PyLong_Check(object) && !PyErr_Occurred()) return 0;
  PyErr_Clear();
  PyErr_Format(PyExc_ValueError, "%s must be an int from 0 to 2**64 - 1, not %R", name,
               object);
  return -1;
}

static PyObject *manager_bind(PyObject *object, PyObject *args) {
  manager_object *self = (manager_object *)object;
  struct home *home = cctx__py_home_here();
  PyObject *number, *context;
  unsigned long long id;
  uint64_t serial;
  cctx *ctx;
  int status;
  if (home == NULL || !PyArg_ParseTuple(args, "OO:bind", &number, &context) ||
      to_id(number, "id", &id) < 0 || (ctx = cctx__py_unwrap(home, context)) == NULL ||
      !is_open(self))
    return NULL;
  status = cctx_manager_bind(self->manager, id, ctx, &serial);
  if (status == CCTX_OK) return PyLong_FromUnsignedLongLong(serial);
  if (status == CCTX_ENOMEM) return PyErr_NoMemory();
  PyErr_SetString(PyExc_ValueError,
                  "this context belongs to no session: with_session, backup or request "
                  "makes one");
  return NULL;
}

/* The session that is bound, a reference, or NULL; false with an exception. */
static bool look(PyObject *object, PyObject *number, int *state, cctx **out) {
  manager_object *self = (manager_object *)object;
  unsigned long long id;
  if (to_id(number, "id", &id) < 0 || !is_open(self)) return false;
  *out = cctx_manager_get(self->manager, id, state);
  return true;
}

static PyObject *manager_get(PyObject *object, PyObject *number) {
  struct home *home = cctx__py_home_here();
  cctx *ctx;
  if (home == NULL || !look(object, number, NULL, &ctx)) return NULL;
  if (ctx == NULL) Py_RETURN_NONE;
  return cctx__py_wrap_new(home, ctx);
}

static PyObject *manager_state(PyObject *object, PyObject *number) {
  cctx *ctx;
  int state;
  if (!look(object, number, &state, &ctx)) return NULL;
  cctx_unref(ctx);
  return PyUnicode_FromString(cctx_session_state_word(state));
}

static PyObject *manager_unbind(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"id", "token", NULL};
  manager_object *self = (manager_object *)object;
  PyObject *number, *token = NULL;
  unsigned long long id, serial = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:unbind", names, &number, &token) ||
      to_id(number, "id", &id) < 0 || (token && to_id(token, "token", &serial) < 0) ||
      !is_open(self))
    return NULL;
  return PyBool_FromLong(cctx_manager_unbind(self->manager, id, serial) == CCTX_OK);
}

static PyObject *manager_sweep(PyObject *object, PyObject *unused) {
  manager_object *self = (manager_object *)object;
  size_t n;
  (void)unused;
  if (!is_open(self)) return NULL;
  n = cctx_manager_sweep(self->manager);
  return PyLong_FromSize_t(n);
}

static PyObject *manager_stats(PyObject *object, PyObject *unused) {
  manager_object *self = (manager_object *)object;
  struct cctx_manager_stats stats;
  (void)unused;
  if (!is_open(self)) return NULL;
  cctx_manager_stats(self->manager, &stats);
  return Py_BuildValue("{snsKsK}", "bound", (Py_ssize_t)stats.bound, "swept",
                       (unsigned long long)stats.swept, "stale",
                       (unsigned long long)stats.stale);
}

#define METHOD(name, flags, signature, text)                                               \
  { #name, CCTX__PY_METHOD(manager_##name), flags, CCTX__PY_DOC(#name, signature, text) }

static PyMethodDef manager_methods[] = {
    METHOD(default, METH_NOARGS | METH_CLASS, "($type, /)",
           "The default manager of this process, which C code uses too."),
    METHOD(bind, METH_VARARGS, "($self, id, context, /)",
           "Bind a context of a session to an id, on top of what is bound: a token."),
    METHOD(get, METH_O, "($self, id, /)",
           "What was bound to the id last, if its session is valid; else None."),
    METHOD(state, METH_O, "($self, id, /)",
           "The state of the session that get() would look at, or 'none'."),
    METHOD(unbind, METH_VARARGS | METH_KEYWORDS, "($self, /, id, token=0)",
           "Take a binding away, with those on top of it; without a token all of the id.\n"
           "False, and counted, if there is none."),
    METHOD(sweep, METH_NOARGS, "($self, /)",
           "Take away what has ended, was disabled or is too old: how many bindings."),
    METHOD(stats, METH_NOARGS, "($self, /)",
           "How many bindings there are, were swept, and were not found by unbind()."),
    METHOD(
        close, METH_NOARGS, "($self, /)",
        "Stop sweeping, and give all sessions back. The default manager is made anew at\n"
        "its next use."),
    {"__enter__", manager_enter, METH_NOARGS, NULL},
    {"__exit__", manager_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    manager_doc,
    "SessionManager(*, shards=100, gc_interval=600.0, max_age=None, thread=False)\n--\n\n"
    "Sessions by 64-bit ids of the host's: of fibers, or of jobs, never of threads. Every\n"
    "gc_interval seconds (None: never) it sweeps, in passing or by a thread of its own, "
    "what\n"
    "has ended, was disabled, or is max_age seconds old.");

static PyType_Slot manager_slots[] = {
    {Py_tp_new, manager_new},
    {Py_tp_dealloc, manager_dealloc},
    {Py_tp_methods, manager_methods},
    {Py_tp_doc, (void *)manager_doc},
    {0, NULL},
};

PyType_Spec cctx__py_manager_spec = {
    .name = "cctx.SessionManager",
    .basicsize = sizeof(manager_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = manager_slots,
};
