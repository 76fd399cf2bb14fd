/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctest: what tests of the Python binding need C for. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cctx/backup.h>
#include <cctx/interpreter.h>
#include <cctx/python.h>

/* ---- Asking without the lock ------------------------------------------------------ */

struct answer {
  cctx *ctx; /* owned */
  int status;
};

static void ask(void *arg) {
  struct answer *answer = arg;
  answer->ctx = cctx_current_ref();
  answer->status = cctx_current_status();
}

static PyObject *say(struct answer *answer) {
  static const char *const words[] = {"none", "attached", "unknown", "ended"};
  PyObject *context = cctx_py_wrap(answer->ctx);
  cctx_unref(answer->ctx);
  return context ? Py_BuildValue("(Ns)", context, words[answer->status]) : NULL;
}

static PyObject *test_held(PyObject *module, PyObject *unused) {
  struct answer answer;
  (void)module, (void)unused;
  ask(&answer);
  return say(&answer);
}

static PyObject *test_released(PyObject *module, PyObject *unused) {
  struct answer answer;
  (void)module, (void)unused;
  Py_BEGIN_ALLOW_THREADS ask(&answer);
  Py_END_ALLOW_THREADS return say(&answer);
}

static PyObject *test_allowed(PyObject *module, PyObject *unused) {
  struct answer answer;
  (void)module, (void)unused;
  cctx_py_allow_threads(ask, &answer);
  return say(&answer);
}

static PyObject *test_allowed_block(PyObject *module, PyObject *unused) {
  struct answer answer;
  (void)module, (void)unused;
  CCTX_PY_BEGIN_ALLOW_THREADS
  ask(&answer);
  CCTX_PY_END_ALLOW_THREADS
  return say(&answer);
}

/* Attach a context without the lock, ask there, and ask again with the lock and without. */
static PyObject *test_released_attach(PyObject *module, PyObject *object) {
  cctx *ctx = cctx_py_unwrap(object);
  struct answer inside, held, after;
  cctx_token token;
  int status;
  PyObject *a, *b, *c;
  (void)module;
  if (ctx == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS status = cctx_attach(ctx, &token);
  ask(&inside);
  Py_END_ALLOW_THREADS ask(&held);
  Py_BEGIN_ALLOW_THREADS cctx_detach(&token);
  ask(&after);
  Py_END_ALLOW_THREADS a = say(&inside), b = say(&held), c = say(&after);
  if (status == CCTX_OK && a && b && c) return Py_BuildValue("(NNN)", a, b, c);
  Py_XDECREF(a);
  Py_XDECREF(b);
  Py_XDECREF(c);
  return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

/* Ask `n` times without the lock, or for ever; how often it was not the context. */
static PyObject *test_released_differs(PyObject *module, PyObject *args) {
  PyObject *object;
  cctx *expected;
  long n, differs = 0;
  (void)module;
  if (!PyArg_ParseTuple(args, "Ol", &object, &n)) return NULL;
  expected = cctx_py_unwrap(object);
  if (expected == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS for (long i = 0; n < 0 || i < n; i++) {
    cctx *ctx = cctx_current_ref();
    if (ctx != expected) differs++;
    cctx_unref(ctx);
  }
  Py_END_ALLOW_THREADS return PyLong_FromLong(differs);
}

/* ---- Holding nodes where no collector looks --------------------------------------- */

static PyObject *to_handle(cctx *ctx) {
  return ctx ? PyLong_FromVoidPtr(ctx) : PyErr_NoMemory();
}

static cctx *from_handle(PyObject *handle) { return PyLong_AsVoidPtr(handle); }

static PyObject *test_hold(PyObject *module, PyObject *object) {
  cctx *ctx = cctx_py_unwrap(object);
  (void)module;
  return ctx ? to_handle(cctx_ref(ctx)) : NULL;
}

static PyObject *test_wrap(PyObject *module, PyObject *handle) {
  (void)module;
  return cctx_py_wrap(from_handle(handle));
}

static PyObject *test_drop(PyObject *module, PyObject *handle) {
  (void)module;
  cctx_unref(from_handle(handle));
  Py_RETURN_NONE;
}

/* What a handle becomes: the context is given back for the new one. */
static PyObject *derive(PyObject *handle, cctx *derived) {
  cctx_unref(from_handle(handle));
  return to_handle(derived);
}

static PyObject *test_to_child(PyObject *module, PyObject *handle) {
  (void)module;
  return derive(handle, cctx_with_cancel(from_handle(handle)));
}

static PyObject *test_to_detached(PyObject *module, PyObject *handle) {
  (void)module;
  return derive(handle, cctx_detached(from_handle(handle), 0));
}

static PyObject *test_to_merged(PyObject *module, PyObject *handle) {
  cctx *other = cctx_with_cancel(cctx_background()), *merged;
  cctx *parents[] = {other, from_handle(handle)};
  (void)module;
  merged = cctx_merge(parents, 2);
  cctx_unref(other);
  return derive(handle, merged);
}

static PyObject *test_references(PyObject *module, PyObject *object) {
  cctx *ctx = cctx_py_unwrap(object);
  (void)module;
  return ctx ? PyLong_FromSize_t(cctx_references(ctx)) : NULL;
}

/* ---- A C thread that takes and gives references all the time ---------------------- */

enum { ROOM = 64 };
static struct {
  pthread_t thread;
  atomic_bool stop;
  cctx *ctx[ROOM];
  bool owns; /* else Python code keeps them */
  size_t n;
} stir;

static void *stir_body(void *unused) {
  for (unsigned i = 0; !atomic_load(&stir.stop); i++) {
    cctx *ctx = cctx_ref(stir.ctx[i % stir.n]), *child;
    child = i % 3 == 0 ? cctx_detached(ctx, 0) : cctx_with_cancel(ctx);
    cctx_unref(ctx);
    cctx_unref(child);
  }
  return unused;
}

static PyObject *begin_stir(PyObject *args, bool owns) {
  stir.n = 0;
  stir.owns = owns;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args) && stir.n < ROOM; i++) {
    cctx *ctx = cctx_py_unwrap(PyTuple_GET_ITEM(args, i));
    if (ctx == NULL) return NULL;
    stir.ctx[stir.n++] = owns ? cctx_ref(ctx) : ctx;
  }
  atomic_store(&stir.stop, false);
  if (pthread_create(&stir.thread, NULL, stir_body, NULL) != 0) return PyErr_NoMemory();
  Py_RETURN_NONE;
}

static PyObject *test_stir(PyObject *module, PyObject *args) {
  (void)module;
  return begin_stir(args, true);
}

static PyObject *test_stir_borrowed(PyObject *module, PyObject *args) {
  (void)module;
  return begin_stir(args, false);
}

static PyObject *test_stir_stop(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  atomic_store(&stir.stop, true);
  Py_BEGIN_ALLOW_THREADS pthread_join(stir.thread, NULL);
  Py_END_ALLOW_THREADS while (stir.owns && stir.n > 0) cctx_unref(stir.ctx[--stir.n]);
  Py_RETURN_NONE;
}

/* ---- Failing allocations ---------------------------------------------------------- */

/* The n-th allocation from now on this thread fails: of Python's, and of the core's. */
static _Thread_local long left;
static PyMemAllocatorEx before[3];

static bool fails(void) { return left > 0 && --left == 0; }

static void *failing_malloc(void *arg, size_t size) {
  PyMemAllocatorEx *at = arg;
  return fails() ? NULL : at->malloc(at->ctx, size);
}
static void *failing_calloc(void *arg, size_t n, size_t size) {
  PyMemAllocatorEx *at = arg;
  return fails() ? NULL : at->calloc(at->ctx, n, size);
}
static void *failing_realloc(void *arg, void *memory, size_t size) {
  PyMemAllocatorEx *at = arg;
  return fails() ? NULL : at->realloc(at->ctx, memory, size);
}
static void plain_free(void *arg, void *memory) {
  PyMemAllocatorEx *at = arg;
  at->free(at->ctx, memory);
}

static void *core_alloc(size_t size, void *arg) {
  (void)arg;
  return fails() ? NULL : malloc(size);
}
static void core_free(void *memory, void *arg) {
  (void)arg;
  free(memory);
}

static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                               PYMEM_DOMAIN_OBJ};

static PyObject *test_fail_begin(PyObject *module, PyObject *unused) {
  static const struct cctx_allocator core = {core_alloc, core_free, NULL};
  (void)module, (void)unused;
  for (int i = 0; i < 3; i++) {
    PyMemAllocatorEx failing = {&before[i], failing_malloc, failing_calloc, failing_realloc,
                                plain_free};
    PyMem_GetAllocator(domains[i], &before[i]);
    PyMem_SetAllocator(domains[i], &failing);
  }
  cctx_set_allocator(&core);
  Py_RETURN_NONE;
}

static PyObject *test_fail_end(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  for (int i = 0; i < 3; i++) PyMem_SetAllocator(domains[i], &before[i]);
  cctx_set_allocator(NULL);
  Py_RETURN_NONE;
}

/* Call with the n-th allocation failing: the result or exception; whether one failed. */
static PyObject *test_fail_nth(PyObject *module, PyObject *args) {
  PyObject *callable, *result, *none;
  long n, rest;
  (void)module;
  if (!PyArg_ParseTuple(args, "lO", &n, &callable)) return NULL;
  none = PyTuple_New(0);
  if (none == NULL) return NULL;
  left = n;
  result = PyObject_Call(callable, none, NULL);
  rest = left;
  left = 0;
  Py_DECREF(none);
  if (result == NULL && !PyErr_ExceptionMatches(PyExc_MemoryError)) return NULL;
  PyErr_Clear();
  return Py_BuildValue("(NO)", result ? result : PyUnicode_FromString("MemoryError"),
                       rest == 0 ? Py_True : Py_False);
}

/* ---- Captures ------------------------------------------------------------------------ */

static bool drop_it(void *arg, const cctx_variant *value, cctx_variant *captured) {
  (void)arg, (void)value, (void)captured; /* it is nil */
  return true;
}

/* (key, on): whether a value of that name is dropped where it crosses to another thread. */
static PyObject *test_drop_captured(PyObject *module, PyObject *args) {
  const char *name;
  int on;
  (void)module;
  if (!PyArg_ParseTuple(args, "sp", &name, &on)) return NULL;
  return PyLong_FromLong(cctx_on_capture(cctx_key_named(name), on ? drop_it : NULL, NULL));
}

static PyMethodDef methods[] = {
    {"held", test_held, METH_NOARGS, NULL},
    {"released", test_released, METH_NOARGS, NULL},
    {"allowed", test_allowed, METH_NOARGS, NULL},
    {"allowed_block", test_allowed_block, METH_NOARGS, NULL},
    {"released_attach", test_released_attach, METH_O, NULL},
    {"released_differs", test_released_differs, METH_VARARGS, NULL},
    {"hold", test_hold, METH_O, NULL},
    {"wrap", test_wrap, METH_O, NULL},
    {"drop", test_drop, METH_O, NULL},
    {"to_child", test_to_child, METH_O, NULL},
    {"to_detached", test_to_detached, METH_O, NULL},
    {"to_merged", test_to_merged, METH_O, NULL},
    {"references", test_references, METH_O, NULL},
    {"stir", test_stir, METH_VARARGS, NULL},
    {"stir_borrowed", test_stir_borrowed, METH_VARARGS, NULL},
    {"stir_stop", test_stir_stop, METH_NOARGS, NULL},
    {"drop_captured", test_drop_captured, METH_VARARGS, NULL},
    {"fail_begin", test_fail_begin, METH_NOARGS, NULL},
    {"fail_end", test_fail_end, METH_NOARGS, NULL},
    {"fail_nth", test_fail_nth, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module) {
  (void)module;
  return cctx_py_import() ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "cctest",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_cctest(void);
PyMODINIT_FUNC PyInit_cctest(void) { return PyModuleDef_Init(&definition); }
