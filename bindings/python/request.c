/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: the type cctx.request, a scope that marks what it makes current. */
#include "home.h"

#include <structmember.h>

typedef struct {
  PyObject_HEAD PyObject *parent; /* the cctx.Context that it derives from */
  PyObject *guard;                /* of async with; see cctx/_guard.py */
  int64_t timeout;                /* ns, CCTX_NEVER: none of its own */
  int response;                   /* whether it has one */
  cctx_request request;
  bool begun;
} request_object;

/* The parent, with the metadata that the request begins with; a new reference. */
static PyObject *to_parent(struct home *home, PyObject *parent, PyObject *metadata) {
  PyObject *none;
  if (parent == Py_None) {
    parent = cctx__py_wrap(home, cctx_background());
  } else if (Py_TYPE(parent) == home->context_type) {
    Py_INCREF(parent);
  } else {
    return PyErr_Format(PyExc_TypeError,
                        "parent must be a cctx.Context or None, not %.100s",
                        Py_TYPE(parent)->tp_name);
  }
  if (parent == NULL || metadata == Py_None) return parent;
  none = parent;
  parent = PyObject_CallMethod(none, "with_metadata", "O", metadata);
  Py_DECREF(none);
  return parent;
}

static PyObject *request_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"parent", "timeout", "metadata", "response", NULL};
  struct home *home = cctx__py_home_here();
  PyObject *parent = Py_None, *seconds = Py_None, *metadata = Py_None;
  request_object *self;
  int64_t timeout;
  int response = 0;
  if (home == NULL ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOp:request", names, &parent, &seconds,
                                   &metadata, &response) ||
      cctx__py_to_timeout(seconds, "timeout", &timeout) < 0 ||
      (parent = to_parent(home, parent, metadata)) == NULL)
    return NULL;
  self = (request_object *)type->tp_alloc(type, 0);
  if (self == NULL) {
    Py_DECREF(parent);
    return NULL;
  }
  self->parent = parent;
  self->timeout = timeout;
  self->response = response;
  return (PyObject *)self;
}

/* In the options no time at all says "no limit"; one that has passed is as good as now. */
static struct cctx_request_options to_options(const request_object *self) {
  struct cctx_request_options options = {.response = self->response != 0};
  if (self->timeout == CCTX_NEVER) return options;
  options.deadline = cctx_deadline_after(self->timeout);
  if (options.deadline == 0) options.deadline = -1;
  return options;
}

static PyObject *request_enter(PyObject *object, PyObject *unused) {
  request_object *self = (request_object *)object;
  struct cctx_request_options options = to_options(self);
  struct home *home = cctx__py_home_here();
  const char *file;
  int line;
  (void)unused;
  if (home == NULL) return NULL;
  if (self->begun)
    return PyErr_Format(PyExc_RuntimeError,
                        "this request() is entered already: make a new one for each block");
  cctx__py_place(&file, &line);
  self->begun = true;
  if (cctx__py_request_begin(&self->request, ((context_object *)self->parent)->ctx,
                             &options, file, line) == CCTX_OK) {
    PyObject *context = cctx__py_wrap(home, self->request.ctx);
    cctx__py_notice(home, "enter", object);
    if (context) return context;
    cctx__py_request_end(&self->request, NULL, 0);
  } else {
    PyErr_NoMemory();
  }
  self->begun = false;
  return NULL;
}

/* Never raises, whatever task or thread it is called from. */
static PyObject *request_exit(PyObject *object, PyObject *const *unused, Py_ssize_t n) {
  request_object *self = (request_object *)object;
  struct home *home = cctx__py_home(PyInterpreterState_Get());
  const char *file;
  int line;
  (void)unused, (void)n;
  if (self->begun) {
    self->begun = false;
    cctx__py_place(&file, &line);
    cctx__py_request_end(&self->request, file, line);
    if (home) cctx__py_notice(home, "exit", object);
  }
  Py_RETURN_FALSE;
}

static int request_traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(((request_object *)object)->parent);
  Py_VISIT(((request_object *)object)->guard);
  return 0;
}

static int request_clear(PyObject *object) {
  Py_CLEAR(((request_object *)object)->guard);
  return 0;
}

static void request_dealloc(PyObject *object) {
  request_object *self = (request_object *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  /* Nobody can end it any more, and what works for it must not go on for ever. */
  if (self->begun) cctx__py_request_drop(&self->request);
  request_clear(object);
  Py_CLEAR(self->parent);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef request_methods[] = {
    {"__enter__", request_enter, METH_NOARGS, NULL},
    {"__exit__", CCTX__PY_METHOD(request_exit), METH_FASTCALL, NULL},
    {"__aenter__", cctx__py_scope_aenter, METH_NOARGS, NULL},
    {"__aexit__", cctx__py_scope_aexit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef request_members[] = {
    {"_guard", T_OBJECT, offsetof(request_object, guard), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
    request_doc,
    "request(*, parent=None, timeout=None, metadata=None, response=False)\n--\n\n"
    "A scope for one request: derive from parent (background, if it is None) a context\n"
    "that can be canceled, with this timeout and these metadata, and make it current.\n"
    "With response=True it has a response that code inside can set.\n"
    "Leaving ends the request: its context is canceled, and whatever only inherited it\n"
    "finds background as current from then on.");

static PyType_Slot request_slots[] = {
    {Py_tp_new, request_new},           {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse}, {Py_tp_clear, request_clear},
    {Py_tp_methods, request_methods},   {Py_tp_members, request_members},
    {Py_tp_doc, (void *)request_doc},   {0, NULL},
};

PyType_Spec cctx__py_request_spec = {
    .name = "cctx.request",
    .basicsize = sizeof(request_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = request_slots,
};
