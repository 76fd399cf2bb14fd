/* SPDX-License-Identifier: Apache-2.0 */
/* The truth table of docs/current.md: one test a row, under a live Python interpreter.
 *
 * A row says how the thread stands to the interpreter (no state, attached, released), what the
 * interpreter's variable says (unset, older or newer than the scope), what is on top of the stack
 * (nothing, a scope, the mark ASK), and whether the interpreter still stands at the scope's place.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>

#include <cctx/interpreter.h>
#include <cctx/python.h>

#include "check.h"

static cctx *one, *two; /* two contexts that are told apart */

/* Returns with the interpreter's lock held. */
static void begin(void) {
  Py_InitializeEx(0);
  cctx_py_import();
  if (!CHECK(cctx_py_table != NULL)) {
    PyErr_Print();
    exit(1);
  }
  one = cctx_with_cancel(cctx_background());
  two = cctx_with_cancel(cctx_background());
}

static void end(void) {
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
static cctx_token push(cctx *ctx) {
  cctx_token token;
  PyThreadState *state = PyEval_SaveThread();
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  PyEval_RestoreThread(state);
  return token;
}

/* Write the variable, as any attach under the interpreter does. */
static cctx_token set(cctx *ctx) {
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  return token;
}

static cctx_token ask(void) {
  cctx_token token;
  CHECK_EQ(cctx_boundary_enter(&token), 0);
  return token;
}

static PyObject *enter_context(void) {
  PyObject *context = PyContext_New();
  CHECK_EQ(PyContext_Enter(context), 0);
  return context;
}

static void exit_context(PyObject *context) {
  CHECK_EQ(PyContext_Exit(context), 0);
  Py_DECREF(context);
}

/* Run `body` on a thread that has no thread state, while this one has let go. */
static void on_foreign_thread(void *(*body)(void *)) {
  PyThreadState *state = PyEval_SaveThread();
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
  pthread_join(thread, NULL);
  PyEval_RestoreThread(state);
}

/* ---- No thread state ---------------------------------------------------------------- */

static void *without_state_nothing_body(void *arg) {
  CHECK_CURRENT("background");
  return arg;
}

TEST(without_a_state_and_a_scope_it_is_background) {
  begin();
  on_foreign_thread(without_state_nothing_body);
  end();
}

static void *without_state_scope_body(void *arg) {
  cctx_token token = set(one);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  return arg;
}

TEST(without_a_state_the_scope_answers) {
  begin();
  on_foreign_thread(without_state_scope_body);
  end();
}

static void *without_state_ask_body(void *arg) {
  cctx_token token = set(one), mark = ask();
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(without_a_state_the_mark_hides_the_scope) {
  begin();
  on_foreign_thread(without_state_ask_body);
  end();
}

/* ---- Attached, nothing or ASK on the stack ------------------------------------------- */

TEST(attached_with_nothing_it_is_background) {
  begin();
  CHECK_CURRENT("background");
  end();
}

TEST(attached_the_variable_answers) {
  cctx_token token;
  begin();
  token = set(one);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  end();
}

TEST(under_the_mark_an_unset_variable_is_background_not_the_scope_below) {
  cctx_token token, mark;
  begin();
  token = push(one);
  mark = ask();
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(under_the_mark_the_variable_answers_however_old) {
  cctx_token variable, token, mark;
  begin();
  variable = set(two);
  token = push(one);
  mark = ask();
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

/* ---- Attached, a scope from before the thread had a state ----------------------------- */

static void *older_than_state_unset_body(void *arg) {
  cctx_token token = set(one);
  PyGILState_STATE state = PyGILState_Ensure();
  CHECK_CURRENT("one");
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(a_scope_older_than_the_state_answers_while_the_variable_is_unset) {
  begin();
  on_foreign_thread(older_than_state_unset_body);
  end();
}

static void *older_than_state_set_body(void *arg) {
  cctx_token token = set(one), variable;
  PyGILState_STATE state = PyGILState_Ensure();
  variable = set(two);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_CURRENT("one");
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(a_scope_older_than_the_state_gives_way_to_the_variable) {
  begin();
  on_foreign_thread(older_than_state_set_body);
  end();
}

static void *older_than_state_released_body(void *arg) {
  cctx_token token = set(one);
  PyGILState_STATE state = PyGILState_Ensure();
  PyThreadState *released = PyEval_SaveThread();
  CHECK_CURRENT("one");
  PyEval_RestoreThread(released);
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(a_scope_older_than_the_state_answers_when_released) {
  begin();
  on_foreign_thread(older_than_state_released_body);
  end();
}

/* ---- Attached, a scope that knows its place ------------------------------------------- */

TEST(at_the_scopes_place_an_unset_variable_leaves_the_scope) {
  cctx_token token;
  begin();
  token = push(one);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(at_the_scopes_place_an_older_variable_leaves_the_scope) {
  cctx_token variable, token;
  begin();
  variable = set(two);
  token = push(one);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

TEST(a_newer_variable_answers) {
  cctx_token variable, token;
  begin();
  token = push(one);
  variable = set(two);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(elsewhere_an_unset_variable_is_background_not_the_scope) {
  cctx_token token;
  PyObject *context;
  begin();
  token = push(one);
  context = enter_context();
  CHECK_CURRENT("background");
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(elsewhere_an_older_variable_is_background_not_either) {
  cctx_token variable, token;
  PyObject *context;
  begin();
  context = enter_context();
  variable = set(two);
  CHECK_EQ(PyContext_Exit(context), 0);
  token = push(one);
  CHECK_EQ(PyContext_Enter(context), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&variable), 0);
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(elsewhere_a_newer_variable_answers) {
  cctx_token variable, token;
  PyObject *context;
  begin();
  token = push(one);
  context = enter_context();
  variable = set(two);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(back_in_the_scopes_context_the_scope_answers_again) {
  PyObject *home, *other;
  cctx_token token;
  begin();
  home = enter_context();
  token = push(one);
  other = enter_context();
  CHECK_CURRENT("background");
  exit_context(other);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  exit_context(home);
  end();
}

/* ---- Released -------------------------------------------------------------------------- */

TEST(released_with_nothing_it_is_background) {
  cctx_token variable;
  PyThreadState *state;
  begin();
  variable = set(two);
  state = PyEval_SaveThread();
  CHECK_CURRENT("background"); /* the variable cannot be read without the lock */
  PyEval_RestoreThread(state);
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

TEST(released_under_the_mark_it_is_background) {
  cctx_token token, mark;
  PyThreadState *state;
  begin();
  token = push(one);
  mark = ask();
  state = PyEval_SaveThread();
  CHECK_CURRENT("background");
  PyEval_RestoreThread(state);
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(released_at_the_scopes_place_the_scope_answers) {
  PyThreadState *state;
  cctx_token token;
  begin();
  state = PyEval_SaveThread();
  CHECK_EQ(cctx_attach(one, &token), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  PyEval_RestoreThread(state);
  end();
}

TEST(released_elsewhere_it_is_background_not_the_scope) {
  PyThreadState *state;
  PyObject *context;
  cctx_token token;
  begin();
  token = push(one);
  context = enter_context();
  state = PyEval_SaveThread();
  CHECK_CURRENT("background");
  PyEval_RestoreThread(state);
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

/* ---- Leaving ------------------------------------------------------------------------------ */

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
