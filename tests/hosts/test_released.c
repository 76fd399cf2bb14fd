/* SPDX-License-Identifier: Apache-2.0 */
/* The truth table of docs/current.md, one test a row: a thread that has released the
 * lock.
 *
 * First the rows in which its variable can be read by the mirror of Python's structs,
 * then those in which it cannot.
 */
#include "current.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The variable is read, nothing or ASK on the stack ---------------------------- */

TEST(released_with_nothing_it_is_background) {
  begin();
  CHECK_RELEASED("background");
  end();
}

TEST(released_the_variable_answers) {
  cctx_token token;
  begin();
  token = set(one);
  CHECK_RELEASED("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_RELEASED("background");
  end();
}

TEST(released_under_the_mark_an_unset_variable_is_background) {
  cctx_token token, mark;
  begin();
  token = push(one);
  mark = ask();
  CHECK_RELEASED("background");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(released_under_the_mark_the_variable_answers) {
  cctx_token variable, token, mark;
  begin();
  variable = set(two);
  token = push(one);
  mark = ask();
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  mark = ask();
  CHECK_RELEASED("two");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

/* ---- The variable is read, a scope from before the thread had a state ------------- */

static void *older_than_state_unset_body(void *arg) {
  cctx_token token = set(one);
  PyGILState_STATE state = PyGILState_Ensure();
  CHECK_RELEASED("one");
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(released_a_scope_older_than_the_state_answers_while_the_variable_is_unset) {
  begin();
  on_foreign_thread(older_than_state_unset_body);
  end();
}

static void *older_than_state_set_body(void *arg) {
  cctx_token token = set(one), variable;
  PyGILState_STATE state = PyGILState_Ensure();
  variable = set(two);
  CHECK_RELEASED("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_RELEASED("one");
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(released_a_scope_older_than_the_state_gives_way_to_the_variable) {
  begin();
  on_foreign_thread(older_than_state_set_body);
  end();
}

/* ---- The variable is read, a scope that knows its place --------------------------- */

TEST(released_at_the_scopes_place_an_unset_variable_leaves_the_scope) {
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

TEST(released_at_the_scopes_place_an_older_variable_leaves_the_scope) {
  cctx_token variable, token;
  begin();
  variable = set(two);
  token = push(one);
  CHECK_RELEASED("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_RELEASED("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  end();
}

TEST(released_a_newer_variable_answers) {
  cctx_token variable, token;
  begin();
  token = push(one);
  variable = set(two);
  CHECK_RELEASED("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_RELEASED("one");
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(released_elsewhere_an_unset_variable_is_background_not_the_scope) {
  PyObject *context;
  cctx_token token;
  begin();
  token = push(one);
  context = enter_context();
  CHECK_RELEASED("background");
  exit_context(context);
  CHECK_RELEASED("background"); /* another Context might stand where the scope's did */
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(released_elsewhere_an_older_variable_is_background_not_either) {
  cctx_token variable, token;
  PyObject *context;
  begin();
  context = enter_context();
  variable = set(two);
  CHECK_EQ(PyContext_Exit(context), 0);
  token = push(one);
  CHECK_EQ(PyContext_Enter(context), 0);
  CHECK_RELEASED("background");
  CHECK_EQ(cctx_detach(&variable), 0);
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

TEST(released_elsewhere_a_newer_variable_answers) {
  cctx_token variable, token;
  PyObject *context;
  begin();
  token = push(one);
  context = enter_context();
  variable = set(two);
  CHECK_RELEASED("two");
  CHECK_EQ(cctx_detach(&variable), 0);
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  end();
}

/* ---- The variable cannot be read -------------------------------------------------- */

TEST(unread_with_nothing_it_is_background) {
  cctx_token variable;
  begin();
  mirror(false);
  variable = set(two);
  CHECK_RELEASED("background");
  CHECK_EQ(cctx_detach(&variable), 0);
  mirror(true);
  end();
}

TEST(unread_under_the_mark_it_is_background) {
  cctx_token token, mark;
  begin();
  mirror(false);
  token = push(one);
  mark = ask();
  CHECK_RELEASED("background");
  CHECK_EQ(cctx_boundary_leave(&mark), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  mirror(true);
  end();
}

static void *unread_older_than_state_body(void *arg) {
  cctx_token token = set(one);
  PyGILState_STATE state = PyGILState_Ensure();
  CHECK_RELEASED("background");
  PyGILState_Release(state);
  CHECK_EQ(cctx_detach(&token), 0);
  return arg;
}

TEST(unread_a_scope_older_than_the_state_does_not_answer) {
  begin();
  mirror(false);
  on_foreign_thread(unread_older_than_state_body);
  mirror(true);
  end();
}

TEST(unread_at_the_scopes_place_the_scope_answers) {
  PyThreadState *state;
  cctx_token token;
  begin();
  mirror(false);
  state = PyEval_SaveThread();
  CHECK_EQ(cctx_attach(one, &token), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
  PyEval_RestoreThread(state);
  mirror(true);
  end();
}

TEST(unread_with_a_later_write_of_the_variable_the_scope_does_not_answer) {
  cctx_token token, variable;
  begin();
  mirror(false);
  token = push(one);
  variable = set(two);
  CHECK_RELEASED("background");
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  mirror(true);
  end();
}

TEST(unread_elsewhere_it_is_background_not_the_scope) {
  PyObject *context;
  cctx_token token;
  begin();
  mirror(false);
  token = push(one);
  context = enter_context();
  CHECK_RELEASED("background");
  exit_context(context);
  CHECK_EQ(cctx_detach(&token), 0);
  mirror(true);
  end();
}

/* ---- Letting go with the context in hand ------------------------------------------ */

static void check_one(void *unused) {
  (void)unused;
  CHECK_CURRENT("one");
}

static void check_background(void *unused) {
  (void)unused;
  CHECK_CURRENT("background");
}

static void check_allowed(void) {
  cctx_token variable, token, hidden;
  cctx_py_allow_threads(check_background, NULL);
  token = push(two);
  variable = set(one);
  cctx_py_allow_threads(check_one, NULL);
  hidden = set(cctx_background());
  cctx_py_allow_threads(check_background, NULL);
  CHECK_EQ(cctx_detach(&hidden), 0);
  cctx_py_allow_threads(check_one, NULL);
  CHECK_EQ(cctx_detach(&variable), 0);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_CURRENT("background");
}

TEST(what_is_taken_along_is_what_was_current) {
  begin();
  check_allowed();
  mirror(false);
  check_allowed();
  mirror(true);
  end();
}

static void *no_memory(size_t size, void *unused) {
  (void)size, (void)unused;
  return NULL;
}

static void free_memory(void *memory, void *unused) {
  (void)unused;
  free(memory);
}

static void *without_memory_body(void *arg) {
  static const struct cctx_allocator none = {no_memory, free_memory, NULL};
  PyGILState_STATE state = PyGILState_Ensure();
  cctx_token token = set(one);
  mirror(false);
  cctx_set_allocator(&none); /* this thread has no stack yet */
  cctx_py_allow_threads(check_background, NULL);
  cctx_set_allocator(NULL);
  CHECK_CURRENT("one");
  cctx_py_allow_threads(check_one, NULL);
  mirror(true);
  CHECK_EQ(cctx_detach(&token), 0);
  PyGILState_Release(state);
  return arg;
}

TEST(without_memory_to_take_it_along_it_is_background) {
  begin();
  on_foreign_thread(without_memory_body);
  end();
}

/* ---- The interpreter comes and goes ----------------------------------------------- */

TEST(three_interpreters_one_after_the_other) {
  for (int i = 0; i < 3; i++) {
    cctx_token token;
    begin();
    token = set(one);
    CHECK_RELEASED("one");
    mirror(true);
    CHECK_EQ(cctx_detach(&token), 0);
    CHECK_RELEASED("background");
    end();
    CHECK_CURRENT("background");
  }
}

static atomic_bool stop;
static atomic_int asking;

/* Asks without the lock, and never comes back to the interpreter. */
static PyObject *ask_on(PyObject *unused, PyObject *none) {
  cctx *expected = cctx_current_ref();
  (void)unused, (void)none;
  PyEval_SaveThread();
  atomic_fetch_add(&asking, 1);
  while (!atomic_load(&stop)) {
    cctx *ctx = cctx_current_ref();
    if (ctx != expected && ctx != cctx_background()) abort();
    cctx_unref(ctx);
  }
  for (;;) pause();
}

static PyMethodDef ask_on_def = {"ask_on", ask_on, METH_NOARGS, NULL};

static const char daemons[] = "import threading, cctx\n"
                              "def work():\n"
                              "    with cctx.use(cctx.background().with_value('k', [1])):\n"
                              "        ask_on()\n"
                              "for _ in range(3):\n"
                              "    threading.Thread(target=work, daemon=True).start()\n";

static void exit_beside_daemons(void) {
  PyObject *globals, *function, *done;
  begin();
  globals = PyModule_GetDict(PyImport_AddModule("__main__"));
  function = PyCFunction_New(&ask_on_def, NULL);
  PyDict_SetItemString(globals, "ask_on", function);
  Py_DECREF(function);
  done = PyRun_String(daemons, Py_file_input, globals, globals);
  CHECK(done != NULL);
  Py_XDECREF(done);
  Py_BEGIN_ALLOW_THREADS while (atomic_load(&asking) < 3) sched_yield();
  Py_END_ALLOW_THREADS end();
  CHECK_CURRENT("background");
  atomic_store(&stop, true);
}

/* Each in a process of its own, as its threads never end. */
TEST(daemon_threads_ask_while_the_interpreter_exits) {
  for (int i = 0; i < 5; i++) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
      exit_beside_daemons();
      _exit(check_failures > 0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
  }
}
