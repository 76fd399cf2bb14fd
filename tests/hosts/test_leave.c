/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving under a live Python interpreter: calls, variables left elsewhere, its exit. */
#include "current.h"

TEST(after_a_call_through_the_boundary_the_scope_is_in_force_again) {
  PyThreadState *state;
  PyObject *call, *result;
  cctx_token token;
  begin();
  call = PyObject_GetAttrString(PyImport_AddModule("builtins"), "dict");
  token = push(one);
  for (int i = 0; i < 3; i++) {
    result = cctx_py_call(two, NULL, call, NULL, NULL);
    CHECK(result != NULL);
    Py_XDECREF(result);
    CHECK_CURRENT("one");
    state = PyEval_SaveThread();
    CHECK_CURRENT("one");
    PyEval_RestoreThread(state);
  }
  CHECK_EQ(cctx_detach(&token), 0);
  Py_DECREF(call);
  end();
}

/* The interpreter moved on before the call, so the call must not bring the scope back. */
TEST(a_call_from_elsewhere_does_not_put_the_scope_in_force) {
  PyObject *call, *result, *context;
  cctx_token token;
  begin();
  call = PyObject_GetAttrString(PyImport_AddModule("builtins"), "dict");
  token = push(one);
  context = enter_context();
  result = cctx_py_call(two, NULL, call, NULL, NULL);
  CHECK(result != NULL);
  Py_XDECREF(result);
  CHECK_CURRENT("background");
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  Py_DECREF(call);
  end();
}

static cctx_token foreign_token;
static void *detach_body(void *arg) {
  CHECK_EQ(cctx_detach(&foreign_token), 0);
  return arg;
}

TEST(a_variable_left_on_another_thread_is_skipped) {
  begin();
  foreign_token = set(one);
  CHECK_CURRENT("one");
  on_foreign_thread(detach_body);
  CHECK_CURRENT("background");
  end();
}

TEST(a_variable_left_while_released_is_skipped) {
  cctx_token outer, inner;
  PyThreadState *state;
  begin();
  outer = set(one);
  inner = set(two);
  state = PyEval_SaveThread();
  CHECK_EQ(cctx_detach(&inner), 0);
  PyEval_RestoreThread(state);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_CURRENT("background");
  end();
}

TEST(a_variable_left_in_a_copy_of_its_context_is_skipped_in_both) {
  PyObject *copy;
  cctx_token token;
  begin();
  token = set(one);
  copy = PyContext_CopyCurrent();
  CHECK_EQ(PyContext_Enter(copy), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  exit_context(copy);
  CHECK_CURRENT("background");
  end();
}

TEST(a_copy_made_inside_keeps_the_variable_after_it_was_left) {
  PyObject *copy;
  cctx_token token;
  begin();
  token = set(one);
  copy = PyContext_CopyCurrent();
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(PyContext_Enter(copy), 0);
  CHECK_CURRENT("one");
  exit_context(copy);
  end();
}

TEST(leaving_the_outer_variable_ends_the_inner_one) {
  cctx_token outer, inner;
  uint64_t before = cctx_stale_detaches();
  begin();
  outer = set(one);
  inner = set(two);
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&inner), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), before + 1);
  CHECK_CURRENT("background");
  end();
}

TEST(after_finalize_the_stack_answers_and_a_variable_may_still_be_left) {
  cctx_token token, variable;
  begin();
  variable =
      set(cctx_todo()); /* immortal: what the interpreter's memory kept is lost with it */
  end();
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_EQ(cctx_attach(cctx_todo(), &token), 0);
  CHECK(cctx_current() == cctx_todo());
  CHECK_EQ(cctx_detach(&token), 0);
}

/* Every one of the functions is asked again after a new interpreter took the old one's place. */
TEST(three_interpreters_one_after_another_each_answer) {
  for (int i = 0; i < 3; i++) {
    cctx_token token;
    begin();
    CHECK_CURRENT("background");
    token = set(one);
    CHECK_CURRENT("one");
    CHECK_EQ(cctx_detach(&token), 0);
    end();
  }
}

TEST(a_token_of_an_ended_scope_changes_nothing_from_where_that_cannot_be_reached) {
  cctx_token outer, inner;
  PyObject *copy;
  PyThreadState *state;
  begin();
  outer = set(one);
  inner = set(two);
  copy = PyContext_CopyCurrent();
  CHECK_EQ(cctx_detach(&outer), 0); /* ends the inner one too */
  state = PyEval_SaveThread();
  CHECK_EQ(cctx_detach(&inner), CCTX_ESTALE);
  PyEval_RestoreThread(state);
  CHECK_EQ(PyContext_Enter(copy), 0);
  CHECK_CURRENT("two"); /* what the copy inherited */
  CHECK_EQ(PyContext_Exit(copy), 0);
  Py_DECREF(copy);
  end();
}

static PyObject *switch_context(PyObject *self, PyObject *unused) {
  (void)self, (void)unused;
  exit_context(enter_context());
  Py_RETURN_NONE;
}
static PyMethodDef switch_def = {"switch_context", switch_context, METH_NOARGS, NULL};

/* In a fresh thread state, called from Python, so that the call is a nested one. */
static PyObject *nested_call(PyObject *self, PyObject *unused) {
  PyObject *callable = PyCFunction_New(&switch_def, NULL);
  cctx_token token = push(one);
  (void)self, (void)unused;
  Py_XDECREF(cctx_py_call(two, NULL, callable, NULL, NULL));
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  Py_XDECREF(callable);
  Py_RETURN_NONE;
}
static PyMethodDef nested_def = {"nested", nested_call, METH_NOARGS, NULL};

static void *call_nested(void *arg) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *globals = PyDict_New(), *callable = PyCFunction_New(&nested_def, NULL);
  PyDict_SetItemString(globals, "nested", callable);
  PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
  Py_XDECREF(PyRun_String("nested()", Py_eval_input, globals, globals));
  Py_XDECREF(callable);
  Py_XDECREF(globals);
  PyGILState_Release(state);
  return arg;
}

TEST(after_a_call_on_a_thread_that_had_no_context_the_scope_is_in_force_again) {
  begin();
  on_foreign_thread(call_nested);
  end();
}
