/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the current context share: a live interpreter, two contexts. */
#ifndef CURRENT_H
#define CURRENT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>

#include <cctx/interpreter.h>
#include <cctx/python.h>

#include "check.h"

static cctx *one, *two; /* two contexts that are told apart */

/* Returns with the interpreter's lock held. */
__attribute__((unused)) static void begin(void) {
  Py_InitializeEx(0);
  cctx_py_import();
  if (!CHECK(cctx_py_table != NULL)) {
    PyErr_Print();
    exit(1);
  }
  one = cctx_with_cancel(cctx_background());
  two = cctx_with_cancel(cctx_background());
}

__attribute__((unused)) static void end(void) {
  cctx_unref(one);
  cctx_unref(two);
  CHECK(!PyErr_Occurred());
  CHECK_EQ(Py_FinalizeEx(), 0);
}

static const char *name_of(const cctx *ctx) {
  if (ctx == cctx_background()) return "background";
  return ctx == one ? "one" : ctx == two ? "two" : "another";
}
#define CHECK_CURRENT(expected) CHECK_STR(name_of(cctx_current()), expected)

/* Push a scope on the stack, as code does that has let go of the interpreter. */
__attribute__((unused)) static cctx_token push(cctx *ctx) {
  cctx_token token;
  PyThreadState *state = PyEval_SaveThread();
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  PyEval_RestoreThread(state);
  return token;
}

/* Write the variable, as any attach under the interpreter does. */
__attribute__((unused)) static cctx_token set(cctx *ctx) {
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  return token;
}

__attribute__((unused)) static cctx_token ask(void) {
  cctx_token token;
  CHECK_EQ(cctx_boundary_enter(&token), 0);
  return token;
}

__attribute__((unused)) static PyObject *enter_context(void) {
  PyObject *context = PyContext_New();
  CHECK_EQ(PyContext_Enter(context), 0);
  return context;
}

__attribute__((unused)) static void exit_context(PyObject *context) {
  CHECK_EQ(PyContext_Exit(context), 0);
  Py_DECREF(context);
}

/* What is current without the interpreter's lock. */
#define CHECK_RELEASED(expected)                                                           \
  do {                                                                                     \
    PyThreadState *state_ = PyEval_SaveThread();                                           \
    CHECK_CURRENT(expected);                                                               \
    PyEval_RestoreThread(state_);                                                          \
  } while (0)

/* Whether the variable can be read without the lock. */
__attribute__((unused)) static void mirror(bool on) {
  PyObject *module = PyImport_ImportModule("cctx._cctx");
  PyObject *none = PyObject_CallMethod(module, "_peek_switch", "i", on);
  PyObject *works = PyObject_CallMethod(module, "_peek_works", NULL);
  CHECK(works == (on ? Py_True : Py_False));
  Py_XDECREF(works);
  Py_XDECREF(none);
  Py_DECREF(module);
}

/* Run `body` on a thread that has no thread state, while this one has let go. */
__attribute__((unused)) static void on_foreign_thread(void *(*body)(void *)) {
  PyThreadState *state = PyEval_SaveThread();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
  pthread_join(thread, NULL);
  PyEval_RestoreThread(state);
}

#endif
