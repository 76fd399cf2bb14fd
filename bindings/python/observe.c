/* SPDX-License-Identifier: Apache-2.0 */
/* Observing: the types _cctx.Loop and _cctx.Observer, on which cctx/_observe.py builds.
 *
 * A Loop is one cctx_loop, for one event loop. It is run with the interpreter's lock held, so
 * what the core calls here only moves observers from one list to the other; Python takes
 * them from there one by one. The Loop owns its observers: those of a Loop that is freed, because
 * its event loop was closed, never run.
 *
 * The core's registration holds a reference to the context that no garbage collector sees: what
 * waits for a context keeps it alive until it is done or the wait is over.
 */
#include "home.h"

#include <stddef.h>

typedef struct observer_object observer_object;

/* A list of observers, each of which it holds a reference to. */
struct row {
  observer_object *first, **end;
};

struct observer_object {
  PyObject_HEAD PyObject *callback;
  PyObject *context;
  cctx_observer token;
  struct row *row; /* that it is in, or NULL */
  observer_object *next, **link;
};

typedef struct {
  PyObject_HEAD cctx_loop *loop;
  struct row waiting;
  struct row done; /* to be called */
} loop_object;

static void clear_row(struct row *row) {
  row->first = NULL;
  row->end = &row->first;
}

/* Takes a reference over. */
static void append(struct row *row, observer_object *observer) {
  observer->row = row;
  observer->next = NULL;
  observer->link = row->end;
  *row->end = observer;
  row->end = &observer->next;
}

/* Hands the row's reference over. */
static void take_out(observer_object *observer) {
  if (observer->row->end == &observer->next) observer->row->end = observer->link;
  *observer->link = observer->next;
  if (observer->next) observer->next->link = observer->link;
  observer->row = NULL;
}

/* ---- Observers --------------------------------------------------------------------- */

/* Nothing of Python runs here: cctx_loop_run, or who frees it, is on the stack. */
static void tell(cctx *ctx, void *arg) {
  observer_object *observer = arg;
  loop_object *loop;
  (void)ctx;
  if (observer->row == NULL) return;
  loop = (loop_object *)(void *)((char *)observer->row - offsetof(loop_object, waiting));
  take_out(observer);
  append(&loop->done, observer);
}

static void loop_dealloc(PyObject *object);

static PyObject *observer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  struct home *home = cctx__py_home_here();
  PyObject *loop, *context, *callback;
  observer_object *self;
  cctx *ctx;
  (void)kwargs;
  if (home == NULL || !PyArg_ParseTuple(args, "OOO:Observer", &loop, &context, &callback) ||
      (ctx = cctx__py_unwrap(home, context)) == NULL)
    return NULL;
  if (Py_TYPE(loop)->tp_dealloc != loop_dealloc) {
    PyErr_SetString(PyExc_TypeError, "loop must be a _cctx.Loop");
    return NULL;
  }
  self = (observer_object *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  Py_INCREF(callback);
  self->callback = callback;
  Py_INCREF(context);
  self->context = context;
  Py_INCREF(self); /* the row's */
  append(&((loop_object *)loop)->waiting, self);
  if (cctx_on_done(ctx, ((loop_object *)loop)->loop, tell, self, &self->token) == CCTX_OK)
    return (PyObject *)self;
  take_out(self);
  Py_DECREF(self);
  Py_DECREF(self);
  return PyErr_NoMemory();
}

/* The callback and the context, for whoever calls; the observer has done its work. */
static PyObject *release(observer_object *self) {
  PyObject *what = PyTuple_Pack(2, self->callback, self->context);
  if (what == NULL) return NULL;
  take_out(self);
  Py_CLEAR(self->callback);
  Py_CLEAR(self->context);
  Py_DECREF(self);
  return what;
}

/* Whether it was still in a row: then nobody calls it any more. */
static bool withdraw(observer_object *self) {
  PyObject *callback, *context;
  if (self->row == NULL) return false;
  cctx_off_done(&self->token);
  take_out(self);
  callback = self->callback;
  context = self->context;
  self->callback = self->context = NULL;
  Py_XDECREF(callback);
  Py_XDECREF(context);
  Py_DECREF(self);
  return true;
}

static PyObject *observer_off(PyObject *object, PyObject *unused) {
  bool prevented;
  (void)unused;
  Py_INCREF(object);
  prevented = withdraw((observer_object *)object);
  Py_DECREF(object);
  return PyBool_FromLong(prevented);
}

static int observer_traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(((observer_object *)object)->callback);
  Py_VISIT(((observer_object *)object)->context);
  return 0;
}

static int observer_clear(PyObject *object) {
  /* In a row it is the loop's to clear: the core knows its address. */
  if (((observer_object *)object)->row) return 0;
  Py_CLEAR(((observer_object *)object)->callback);
  Py_CLEAR(((observer_object *)object)->context);
  return 0;
}

static void observer_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  observer_clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef observer_methods[] = {
    {"off", observer_off, METH_NOARGS,
     PyDoc_STR(
         "off($self, /)\n--\n\n"
         "Prevent the callback. Whether this call did: False if it has begun, has run or\n"
         "was prevented before.")},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(observer_doc, "A callback that waits for a context to be done.");

static PyType_Slot observer_slots[] = {
    {Py_tp_new, observer_new},
    {Py_tp_dealloc, observer_dealloc},
    {Py_tp_traverse, observer_traverse},
    {Py_tp_clear, observer_clear},
    {Py_tp_methods, observer_methods},
    {Py_tp_doc, (void *)observer_doc},
    {0, NULL},
};

PyType_Spec cctx__py_observer_spec = {
    .name = "cctx.Observer",
    .basicsize = sizeof(observer_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = observer_slots,
};

/* ---- Loops ------------------------------------------------------------------------- */

static PyObject *loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  loop_object *self = (loop_object *)type->tp_alloc(type, 0);
  (void)args, (void)kwargs;
  if (self == NULL) return NULL;
  clear_row(&self->waiting);
  clear_row(&self->done);
  self->loop = cctx_loop_new();
  if (self->loop) return (PyObject *)self;
  Py_DECREF(self);
  return PyErr_NoMemory();
}

static PyObject *loop_fd(PyObject *object, PyObject *unused) {
  int fd = cctx_loop_fd(((loop_object *)object)->loop);
  (void)unused;
  if (fd >= 0) return PyLong_FromLong(fd);
  PyErr_SetString(PyExc_OSError, "the system has no file descriptor left");
  return NULL;
}

static PyObject *loop_run(PyObject *object, PyObject *unused) {
  (void)unused;
  return PyLong_FromSize_t(cctx_loop_run(((loop_object *)object)->loop, cctx_now()));
}

static PyObject *loop_take(PyObject *object, PyObject *unused) {
  loop_object *self = (loop_object *)object;
  (void)unused;
  if (self->done.first) return release(self->done.first);
  Py_RETURN_NONE;
}

static PyObject *loop_waiting(PyObject *object, PyObject *unused) {
  long count = 0;
  (void)unused;
  for (observer_object *at = ((loop_object *)object)->waiting.first; at; at = at->next)
    count++;
  return PyLong_FromLong(count);
}

static int visit_row(const struct row *row, visitproc visit, void *arg) {
  for (observer_object *at = row->first; at; at = at->next) Py_VISIT(at);
  return 0;
}

static int loop_traverse(PyObject *object, visitproc visit, void *arg) {
  loop_object *self = (loop_object *)object;
  int status;
  Py_VISIT(Py_TYPE(object));
  status = visit_row(&self->waiting, visit, arg);
  return status ? status : visit_row(&self->done, visit, arg);
}

static int loop_clear(PyObject *object) {
  loop_object *self = (loop_object *)object;
  if (self->loop == NULL) return 0;
  while (self->waiting.first) withdraw(self->waiting.first);
  while (self->done.first) withdraw(self->done.first);
  return 0;
}

static void loop_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  loop_clear(object);
  cctx_loop_free(((loop_object *)object)->loop);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef loop_methods[] = {
    {"fd", loop_fd, METH_NOARGS, NULL},
    {"run", loop_run, METH_NOARGS, NULL},
    {"take", loop_take, METH_NOARGS, NULL},
    {"waiting", loop_waiting, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot loop_slots[] = {
    {Py_tp_new, loop_new},
    {Py_tp_dealloc, loop_dealloc},
    {Py_tp_traverse, loop_traverse},
    {Py_tp_clear, loop_clear},
    {Py_tp_methods, loop_methods},
    {Py_tp_doc, "Where the callbacks of one event loop wait. Private."},
    {0, NULL},
};

PyType_Spec cctx__py_loop_spec = {
    .name = "cctx._cctx.Loop",
    .basicsize = sizeof(loop_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = loop_slots,
};
