/* SPDX-License-Identifier: Apache-2.0 */
/* The truth table of docs/current.md: one test a row, under a live Python interpreter. The rows of a
 * thread that has released the lock are in test_released.c.
 *
 * A row says how the thread stands to the interpreter (no state, attached, released), what the
 * interpreter's variable says (unset, older or newer than the scope), what is on top of the stack
 * (nothing, a scope, the mark ASK), and whether the interpreter still stands at the scope's place.
 */
#include "current.h"

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
  PyObject *context;
  begin();
  context = enter_context();
  variable = set(two);
  CHECK_EQ(PyContext_Exit(context), 0);
  token = push(one);
  mark = ask();
  CHECK_EQ(PyContext_Enter(context), 0); /* an older task, in the call */
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  exit_context(context);
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

/* A greenlet that made a raw call goes on below the mark of another one's call. */
TEST(under_anothers_mark_where_a_newer_scope_was_pushed_it_is_background) {
  cctx_token variable, token, mark;
  begin();
  variable = set(two);
  token = push(one);
  mark = ask();
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

/* The other one pushed a scope of its own before it called. */
TEST(under_anothers_mark_a_scope_further_down_tells_too) {
  cctx_token variable, ours, theirs, mark;
  PyObject *context;
  begin();
  variable = set(two);
  ours = push(one);
  context = enter_context();
  theirs = push(one);
  mark = ask();
  CHECK_EQ(PyContext_Exit(context), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(PyContext_Enter(context), 0);
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&theirs), 0);
  exit_context(context);
  CHECK_EQ(cctx_detach(&ours), 0);
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

TEST(a_nested_call_of_the_same_request_is_inherited) {
  cctx_request request;
  cctx_token token, mark, inner;
  struct cctx_origin origin;
  begin();
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), NULL), 0);
  token = push(request.ctx);
  mark = ask();
  inner = set(request.ctx);
  cctx_current_origin(&origin);
  CHECK_EQ(origin.lifetime, CCTX_INHERITED);
  CHECK_EQ(cctx_detach(&inner), 0);
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  cctx_request_end(&request);
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

/* The variable may be set, by a task that the thread runs: the scope must not answer. */
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

/* It may be another Context at the address of one that is gone; who must know asks for a call
 * through the boundary. */
TEST(after_a_switch_and_back_it_is_background) {
  PyObject *home, *other;
  cctx_token token;
  begin();
  home = enter_context();
  token = push(one);
  other = enter_context();
  exit_context(other);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&token), 0);
  exit_context(home);
  end();
}

TEST(another_context_at_the_address_of_the_scopes_is_background) {
  PyObject *first, *second;
  cctx_token token;
  const void *address;
  begin();
  address = first = enter_context();
  token = push(one);
  exit_context(first); /* and freed, with the scope still pushed */
  second = enter_context();
  CHECK(address == second);
  CHECK_CURRENT("background");
  exit_context(second);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}
