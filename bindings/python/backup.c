/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: the type cctx.backup, a scope for a handler. Leaving it needs no memory. */
#include "home.h"

#include <structmember.h>

typedef struct {
  PyObject_HEAD PyObject
      *context;    /* the cctx.Context that is backed up; NULL: what is current */
  PyObject *guard; /* of async with; see cctx/_guard.py */
  PyObject *scope; /* that the token keeps: shown to the collector, while entered */
  cctx *session;   /* owned; NULL: not entered */
  bool is_session; /* else backups are switched off */
  bool entered;    /* or about to be: until then other code may run, and come here too */
  cctx_token token;
} backup_object;

static PyObject *backup_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"context", NULL};
  struct home *home = cctx__py_home_here();
  PyObject *context = Py_None;
  backup_object *self;
  if (home == NULL ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:backup", names, &context))
    return NULL;
  if (context != Py_None && Py_TYPE(context) != home->context_type)
    return PyErr_Format(PyExc_TypeError,
                        "context must be a cctx.Context or None, not %.100s",
                        Py_TYPE(context)->tp_name);
  self = (backup_object *)type->tp_alloc(type, 0);
  if (self == NULL || context == Py_None) return (PyObject *)self;
  Py_INCREF(context);
  self->context = context;
  return (PyObject *)self;
}

/* What is backed up, with what bound variables say of it; a new reference. */
static PyObject *to_context(const backup_object *self) {
  PyObject *vars, *context;
  if (self->context) {
    Py_INCREF(self->context);
    return self->context;
  }
  vars = PyImport_ImportModule("cctx._vars");
  context = vars ? PyObject_CallMethod(vars, "current", NULL) : NULL;
  Py_XDECREF(vars);
  return context;
}

/* The session's Context, current from here on; NULL with an exception. */
static PyObject *begin(backup_object *self, PyObject *context) {
  struct cctx_backup_options options;
  PyObject *none = PyTuple_New(0), *session = context;
  if (none == NULL) return NULL;
  cctx_backup_options(&options);
  if (options.enable)
    session = cctx__py_with_session(context, none, NULL);
  else
    Py_INCREF(context);
  Py_DECREF(none);
  if (session == NULL) return NULL;
  self->session = cctx_ref(((context_object *)session)->ctx);
  self->is_session = options.enable;
  if (cctx__py_attach(self->session, CCTX_INHERITED, &self->token, &self->scope) == CCTX_OK)
    return session;
  if (self->is_session) cctx_session_end_at(self->session, NULL, 0);
  cctx_unref(self->session);
  self->session = NULL;
  Py_DECREF(session);
  return PyErr_NoMemory();
}

static PyObject *backup_enter(PyObject *object, PyObject *unused) {
  backup_object *self = (backup_object *)object;
  struct home *home = cctx__py_home_here();
  PyObject *context, *session;
  (void)unused;
  if (home == NULL) return NULL;
  if (self->entered)
    return PyErr_Format(PyExc_RuntimeError,
                        "this backup() is entered already: make a new one for each block");
  self->entered = true;
  context = to_context(self);
  session = context ? begin(self, context) : NULL;
  Py_XDECREF(context);
  if (session == NULL) self->entered = false;
  if (session) cctx__py_notice(home, "enter", object);
  return session;
}

/* Its session has ended: first, so that nothing inherits what is over. */
static cctx *end(backup_object *self) {
  cctx *session = self->session;
  const char *file;
  int line;
  self->session = NULL;
  self->scope = NULL;
  self->entered = false;
  cctx__py_place(&file, &line);
  if (self->is_session) cctx_session_end_at(session, file, line);
  return session;
}

/* Never raises, whatever task or thread it is called from. */
static PyObject *backup_exit(PyObject *object, PyObject *const *unused, Py_ssize_t n) {
  backup_object *self = (backup_object *)object;
  struct home *home = cctx__py_home(PyInterpreterState_Get());
  (void)unused, (void)n;
  if (self->session) {
    cctx *session = end(self);
    cctx__py_detach(&self->token);
    cctx_unref(session);
    if (home) cctx__py_notice(home, "exit", object);
  }
  Py_RETURN_FALSE;
}

static int backup_traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(((backup_object *)object)->context);
  Py_VISIT(((backup_object *)object)->guard);
  Py_VISIT(((backup_object *)object)->scope);
  return 0;
}

static int backup_clear(PyObject *object) {
  Py_CLEAR(((backup_object *)object)->context);
  Py_CLEAR(((backup_object *)object)->guard);
  return 0;
}

/* Entered and dropped: nobody can say any more in which Context to undo that. */
static void backup_dealloc(PyObject *object) {
  backup_object *self = (backup_object *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  if (self->session) {
    cctx *session = end(self);
    cctx_forget(&self->token);
    cctx_unref(session);
  }
  backup_clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef backup_methods[] = {
    {"__enter__", backup_enter, METH_NOARGS, NULL},
    {"__exit__", CCTX__PY_METHOD(backup_exit), METH_FASTCALL, NULL},
    {"__aenter__", cctx__py_scope_aenter, METH_NOARGS, NULL},
    {"__aexit__", cctx__py_scope_aexit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef backup_members[] = {
    {"_guard", T_OBJECT, offsetof(backup_object, guard), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
    backup_doc,
    "backup(context=None)\n--\n\n"
    "A scope for a handler: a session of context, or of what is current, is current\n"
    "in its block, and ends with it. Nothing is canceled.");

static PyType_Slot backup_slots[] = {
    {Py_tp_new, backup_new},           {Py_tp_dealloc, backup_dealloc},
    {Py_tp_traverse, backup_traverse}, {Py_tp_clear, backup_clear},
    {Py_tp_methods, backup_methods},   {Py_tp_members, backup_members},
    {Py_tp_doc, (void *)backup_doc},   {0, NULL},
};

PyType_Spec cctx__py_backup_spec = {
    .name = "cctx.backup",
    .basicsize = sizeof(backup_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = backup_slots,
};
