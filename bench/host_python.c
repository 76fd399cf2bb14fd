/* SPDX-License-Identifier: Apache-2.0 */
/* C code on a thread that is attached to Python, beside what contextvars offers it. */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>
#include <stdlib.h>

#include "bench.h"

static cctx *attached;      /* what is current */
static PyObject *variable;  /* the rival's: a ContextVar, set */
static PyObject *value;     /* to something */
static PyObject *others[2]; /* Contexts to switch between, copies of the current one */
static PyObject *root;      /* an empty Context, as of a handler that was loaded */
static PyObject *noop;
static cctx_token token;

static void must(bool ok) {
  if (ok) return;
  PyErr_Print();
  abort();
}

static PyObject *do_nothing(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  Py_RETURN_NONE;
}

static PyMethodDef noop_method = {"noop", do_nothing, METH_NOARGS, NULL};

static void start_python(void) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  if (PyStatus_Exception(Py_InitializeFromConfig(&config))) abort();
  PyConfig_Clear(&config);
  must(cctx_py_import() != NULL);
  variable = PyContextVar_New("rival", NULL);
  noop = PyCFunction_New(&noop_method, NULL);
  root = PyContext_New();
  value = PyDict_New();
  must(variable && noop && root && value);
}

static void open_attached(long x) {
  (void)x;
  if (!Py_IsInitialized()) start_python();
  attached = bench_must(cctx_with_cancel(cctx_background()));
  must(cctx_attach(attached, &token) == 0);
  PyObject *set = PyContextVar_Set(variable, value);
  must(set != NULL);
  Py_DECREF(set);
  for (int i = 0; i < 2; i++) must((others[i] = PyContext_CopyCurrent()) != NULL);
}

static void close_attached(void) {
  for (int i = 0; i < 2; i++) Py_CLEAR(others[i]);
  cctx_detach(&token);
  cctx_finish(attached);
}

/* ---- Asking ---- */

static void run_current(long n) {
  while (n-- > 0) bench_sink += cctx_current() == attached;
}

static void get_variable(void) {
  PyObject *found = NULL;
  if (PyContextVar_Get(variable, NULL, &found) < 0) abort();
  bench_sink += found == value;
  Py_XDECREF(found);
}

static void run_get(long n) {
  while (n-- > 0) get_variable();
}

/* The variable's cache holds for one Context: each question finds another one. */
static void run_current_switched(long n) {
  for (; n > 0; n--) {
    PyContext_Enter(others[n % 2]);
    bench_sink += cctx_current() == attached;
    PyContext_Exit(others[n % 2]);
  }
}

static void run_get_switched(long n) {
  for (; n > 0; n--) {
    PyContext_Enter(others[n % 2]);
    get_variable();
    PyContext_Exit(others[n % 2]);
  }
}

static void run_current_released(long n) {
  Py_BEGIN_ALLOW_THREADS;
  while (n-- > 0) bench_sink += cctx_current() == attached;
  Py_END_ALLOW_THREADS;
}

/* The only way that contextvars has. */
static void run_get_released(long n) {
  Py_BEGIN_ALLOW_THREADS;
  while (n-- > 0) {
    PyGILState_STATE gil = PyGILState_Ensure();
    get_variable();
    PyGILState_Release(gil);
  }
  Py_END_ALLOW_THREADS;
}

/* ---- Attaching ---- */

static void run_attach(long n) {
  while (n-- > 0) {
    cctx_token mine;
    if (cctx_attach(attached, &mine) != 0) abort();
    cctx_detach(&mine);
  }
}

static void run_set(long n) {
  while (n-- > 0) {
    PyObject *set = PyContextVar_Set(variable, noop);
    if (set == NULL || PyContextVar_Reset(variable, set) < 0) abort();
    Py_DECREF(set);
  }
}

/* ---- Requests ---- */

static void run_request(long n) {
  while (n-- > 0) {
    cctx_request request;
    if (cctx_request_begin(&request, cctx_background(), NULL) != 0) abort();
    cctx_request_end(&request);
  }
}

/* A copy of the root, with the variable set, around a call or nothing. */
static void in_copy(PyObject *callable) {
  PyObject *context = PyContext_Copy(root), *set, *result;
  if (context == NULL || PyContext_Enter(context) < 0) abort();
  set = PyContextVar_Set(variable, value);
  result = callable ? PyObject_CallNoArgs(callable) : NULL;
  if (set == NULL || (callable && !result) || PyContext_Exit(context) < 0) abort();
  Py_XDECREF(result);
  Py_DECREF(set);
  Py_DECREF(context);
}

static void run_copy(long n) {
  while (n-- > 0) in_copy(NULL);
}

static void run_call(long n) {
  while (n-- > 0) {
    PyObject *result = cctx_py_call(attached, root, noop, NULL, NULL);
    if (result == NULL) abort();
    Py_DECREF(result);
  }
}

static void run_call_in_copy(long n) {
  while (n-- > 0) in_copy(noop);
}

#define OP(op_name, runs)                                                                  \
  { .name = (op_name), .open = open_attached, .run = (runs), .close = close_attached }

const struct bench_op bench_python[] = {
    OP("py_current", run_current),
    OP("rival_py_current", run_get),
    OP("py_switched", run_current_switched),
    OP("rival_py_switched", run_get_switched),
    OP("py_released", run_current_released),
    OP("rival_py_released", run_get_released),
    OP("py_attach", run_attach),
    OP("rival_py_attach", run_set),
    OP("py_request", run_request),
    OP("rival_py_request", run_copy),
    OP("py_call", run_call),
    OP("rival_py_call", run_call_in_copy),
    {.name = NULL},
};
