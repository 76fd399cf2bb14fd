/* SPDX-License-Identifier: Apache-2.0 */
/* Use: making a context current for a block of Python, or for one call. */
#include "home.h"

typedef struct {
  PyObject_HEAD PyObject *context; /* the cctx.Context */
  cctx *ctx;                       /* borrowed from it */
  cctx_token token;
  bool entered;
} use_object;

/* What went wrong is lack of memory: attach knows no other way to fail. */
static int attach(cctx *ctx, cctx_token *token) {
  if (cctx__py_attach(ctx, token) == CCTX_OK) return 0;
  PyErr_NoMemory();
  return -1;
}

PyObject *cctx__py_call_under(cctx *ctx, PyObject *callable, PyObject *args,
                              PyObject *kwargs) {
  PyObject *result;
  cctx_token token;
  if (attach(ctx, &token) < 0) return NULL;
  result = PyObject_Call(callable, args, kwargs);
  cctx__py_detach(&token);
  return result;
}

static PyObject *use_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"context", NULL};
  struct home *home = cctx__py_home_here();
  PyObject *context;
  use_object *self;
  cctx *ctx;
  if (home == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:use", names, &context))
    return NULL;
  ctx = cctx__py_unwrap(home, context);
  if (ctx == NULL) return NULL;
  self = (use_object *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  Py_INCREF(context);
  self->context = context;
  self->ctx = ctx;
  return (PyObject *)self;
}

static int use_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((use_object *)self)->context);
  return 0;
}

static int use_clear(PyObject *self) {
  Py_CLEAR(((use_object *)self)->context);
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

static PyObject *use_enter(PyObject *object, PyObject *unused) {
  use_object *self = (use_object *)object;
  (void)unused;
  if (self->entered) {
    PyErr_SetString(PyExc_RuntimeError,
                    "this use() is entered already: make a new one for each block");
    return NULL;
  }
  self->entered = true; /* first: attaching may run a finalizer, which may come here too */
  if (attach(self->ctx, &self->token) < 0) {
    self->entered = false;
    return NULL;
  }
  Py_INCREF(self->context);
  return self->context;
}

/* Never raises, whatever task or thread it is called from. */
static PyObject *use_exit(PyObject *object, PyObject *unused) {
  use_object *self = (use_object *)object;
  (void)unused;
  if (self->entered) {
    self->entered = false;
    cctx__py_detach(&self->token);
  }
  Py_RETURN_FALSE;
}

static PyMethodDef use_methods[] = {
    {"__enter__", use_enter, METH_NOARGS, NULL},
    {"__exit__", use_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(use_doc,
             "use(context)\n--\n\n"
             "Make a context current for the body of a with statement, and for the\n"
             "tasks and copies of the running contextvars.Context made inside.\n"
             "Leaving puts back what was current, and never raises.");

static PyType_Slot use_slots[] = {
    {Py_tp_new, use_new},
    {Py_tp_dealloc, use_dealloc},
    {Py_tp_traverse, use_traverse},
    {Py_tp_clear, use_clear},
    {Py_tp_methods, use_methods},
    {Py_tp_doc, (void *)use_doc},
    {0, NULL},
};

PyType_Spec cctx__py_use_spec = {
    .name = "cctx.use",
    .basicsize = sizeof(use_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = use_slots,
};
