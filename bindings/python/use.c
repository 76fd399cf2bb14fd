/* SPDX-License-Identifier: Apache-2.0 */
/* Use: making a context current for a block of Python, or for one call.
 *
 * A block knows its context, cctx.use, or derives it where it is entered: what _scopes.py makes of
 * the type Block. Leaving takes no memory: a block that could not be left would go on. */
#include "home.h"

#include <string.h>
#include <structmember.h>

typedef struct {
  PyObject_HEAD PyObject *context; /* the cctx.Context; NULL: it will be derived */
  cctx *ctx;                       /* borrowed from it */
  PyObject *reason; /* of a Block: what to cancel the context with, a str; or None */
  enum cctx_lifetime lifetime;
  PyObject *guard; /* of async with; see cctx/_guard.py */
  cctx_token token;
  PyObject *scope; /* that the token keeps: shown to the collector, while entered */
  bool entered;
} use_object;

/* What went wrong is lack of memory: attach knows no other way to fail. */
static int attach(cctx *ctx, enum cctx_lifetime lifetime, cctx_token *token,
                  PyObject **scope) {
  if (cctx__py_attach(ctx, lifetime, token, scope) == CCTX_OK) return 0;
  PyErr_NoMemory();
  return -1;
}

PyObject *cctx__py_call_under(cctx *ctx, enum cctx_lifetime lifetime, PyObject *callable,
                              PyObject *args, PyObject *kwargs) {
  PyObject *result;
  cctx_token token;
  if (attach(ctx, lifetime, &token, NULL) < 0) return NULL;
  result = PyObject_Call(callable, args, kwargs);
  cctx__py_detach(&token);
  return result;
}

/* Arguments (context, callable, args, kwargs): what wrap and its like are made of. */
static PyObject *run_for(PyObject *args, enum cctx_lifetime lifetime) {
  struct home *home = cctx__py_home_here();
  PyObject *context, *callable, *positional, *named;
  cctx *ctx;
  if (home == NULL || !PyArg_ParseTuple(args, "OOO!O!:run", &context, &callable,
                                        &PyTuple_Type, &positional, &PyDict_Type, &named))
    return NULL;
  ctx = cctx__py_unwrap(home, context);
  if (ctx == NULL) return NULL;
  return cctx__py_call_under(ctx, lifetime, callable, positional, named);
}

PyObject *cctx__py_run_handed_over(PyObject *module, PyObject *args) {
  (void)module;
  return run_for(args, CCTX_HANDED_OVER);
}

PyObject *cctx__py_run_inherited(PyObject *module, PyObject *args) {
  (void)module;
  return run_for(args, CCTX_INHERITED);
}

static PyObject *use_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"context", "_handed_over", NULL};
  struct home *home = cctx__py_home_here();
  int handed_over = false;
  PyObject *context;
  use_object *self;
  cctx *ctx;
  if (home == NULL ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O|$p:use", names, &context, &handed_over))
    return NULL;
  ctx = cctx__py_unwrap(home, context);
  if (ctx == NULL) return NULL;
  self = (use_object *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  Py_INCREF(context);
  self->context = context;
  self->ctx = ctx;
  self->lifetime = handed_over ? CCTX_HANDED_OVER : CCTX_LIFETIME_AUTO;
  return (PyObject *)self;
}

static int use_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((use_object *)self)->context);
  Py_VISIT(((use_object *)self)->guard);
  Py_VISIT(((use_object *)self)->reason);
  if (((use_object *)self)->entered) Py_VISIT(((use_object *)self)->scope);
  return 0;
}

static int use_clear(PyObject *self) {
  Py_CLEAR(((use_object *)self)->context);
  Py_CLEAR(((use_object *)self)->guard);
  Py_CLEAR(((use_object *)self)->reason);
  return 0;
}

static void use_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  /* Entered and dropped: nobody can say any more in which Context to undo that. */
  if (((use_object *)self)->entered) cctx_forget(&((use_object *)self)->token);
  use_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyObject *refuse_again(use_object *self) {
  const char *dot = strrchr(Py_TYPE(self)->tp_name, '.');
  return PyErr_Format(PyExc_RuntimeError,
                      "this %s() is entered already: make a new one for each block",
                      dot ? dot + 1 : Py_TYPE(self)->tp_name);
}

static PyObject *use_enter(PyObject *object, PyObject *unused) {
  use_object *self = (use_object *)object;
  (void)unused;
  if (self->entered) return refuse_again(self);
  self->entered = true; /* first: attaching may run a finalizer, which may come here too */
  if (attach(self->ctx, self->lifetime, &self->token, &self->scope) < 0) {
    self->entered = false;
    return NULL;
  }
  cctx__py_notice(((context_object *)self->context)->home, "enter", object);
  Py_INCREF(self->context);
  return self->context;
}

/* Never raises, whatever task or thread it is called from. Its arguments are not packed in a tuple
 * either, for which there might be no memory. */
static PyObject *use_exit(PyObject *object, PyObject *const *args, Py_ssize_t n) {
  use_object *self = (use_object *)object;
  (void)args, (void)n;
  if (self->entered) {
    self->entered = false;
    cctx__py_detach(&self->token);
    cctx__py_notice(((context_object *)self->context)->home, "exit", object);
  }
  Py_RETURN_FALSE;
}

static PyObject *block_enter(PyObject *object, PyObject *unused) {
  use_object *self = (use_object *)object;
  struct home *home = cctx__py_home_here();
  PyObject *context, *entered;
  cctx *ctx;
  if (home == NULL) return NULL;
  if (self->entered) return refuse_again(self);
  context = PyObject_CallMethod(object, "_derive", NULL);
  ctx = context ? cctx__py_unwrap(home, context) : NULL;
  if (ctx == NULL || self->entered) { /* a finalizer may have come here meanwhile */
    Py_XDECREF(context);
    return ctx ? refuse_again(self) : NULL;
  }
  Py_XSETREF(self->context, context);
  self->ctx = ctx;
  entered = use_enter(object, unused);
  if (entered == NULL) Py_CLEAR(self->context);
  return entered;
}

static void cancel(cctx *ctx, PyObject *reason) {
  const char *message, *file;
  int line;
  if (reason == NULL || reason == Py_None) return;
  if (cctx__py_message(reason, &message) < 0) PyErr_Clear(); /* it was checked */
  cctx__py_place(&file, &line);
  cctx_cancel_at(ctx, message, file, line);
}

static PyObject *block_exit(PyObject *object, PyObject *const *args, Py_ssize_t n) {
  use_object *self = (use_object *)object;
  PyObject *context = self->context;
  bool was_entered = self->entered;
  PyObject *result = use_exit(object, args, n);
  if (!was_entered || self->context != context) return result;
  self->context = NULL;
  cancel(((context_object *)context)->ctx, self->reason);
  Py_DECREF(context);
  return result;
}

static PyMethodDef use_methods[] = {
    {"__enter__", use_enter, METH_NOARGS, NULL},
    {"__exit__", CCTX__PY_METHOD(use_exit), METH_FASTCALL, NULL},
    {"__aenter__", cctx__py_scope_aenter, METH_NOARGS, NULL},
    {"__aexit__", cctx__py_scope_aexit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef use_members[] = {
    {"_guard", T_OBJECT, offsetof(use_object, guard), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef block_methods[] = {
    {"__enter__", block_enter, METH_NOARGS, NULL},
    {"__exit__", CCTX__PY_METHOD(block_exit), METH_FASTCALL, NULL},
    {"__aenter__", cctx__py_scope_aenter, METH_NOARGS, NULL},
    {"__aexit__", cctx__py_scope_aexit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef block_members[] = {
    {"_guard", T_OBJECT, offsetof(use_object, guard), 0, NULL},
    {"_reason", T_OBJECT, offsetof(use_object, reason), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(use_doc,
             "use(context)\n--\n\n"
             "Make a context current for the body of a with statement, and for the\n"
             "tasks and copies of the running contextvars.Context made inside.\n"
             "Leaving puts back what was current, and never raises.");

static PyType_Slot use_slots[] = {
    {Py_tp_new, use_new},           {Py_tp_dealloc, use_dealloc},
    {Py_tp_traverse, use_traverse}, {Py_tp_clear, use_clear},
    {Py_tp_methods, use_methods},   {Py_tp_members, use_members},
    {Py_tp_doc, (void *)use_doc},   {0, NULL},
};

PyType_Spec cctx__py_use_spec = {
    .name = "cctx.use",
    .basicsize = sizeof(use_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = use_slots,
};

static PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  (void)args, (void)kwargs; /* its class's __init__ takes them */
  return type->tp_alloc(type, 0);
}

static PyType_Slot block_slots[] = {
    {Py_tp_new, block_new},
    {Py_tp_dealloc, use_dealloc},
    {Py_tp_traverse, use_traverse},
    {Py_tp_clear, use_clear},
    {Py_tp_methods, block_methods},
    {Py_tp_members, block_members},
    {Py_tp_doc, "A block that derives its context by _derive(). Private."},
    {0, NULL},
};

PyType_Spec cctx__py_block_spec = {
    .name = "cctx._cctx.Block",
    .basicsize = sizeof(use_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = block_slots,
};
