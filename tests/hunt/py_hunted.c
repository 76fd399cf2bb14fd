/* SPDX-License-Identifier: Apache-2.0 */
/* The Python module `hunted`: C code that asks, attaches and calls back, as the hunt says.
 *
 * A section is a piece of C, which lets the interpreter go or holds it; a host is a thread
 * that never had it. Both carry out a list of orders, and what they were answered goes to
 * the callable of the next call, which returns the orders after it. Answers are the ids
 * that the hunt put into its contexts: 0 is background.
 */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

#include <pthread.h>
#include <stdlib.h>

enum { TOKENS = 4096, REQUESTS = 1024, ORDERS = 200 };

enum code { ASK, ATTACH, DETACH, BEGIN, END, CALL_RAW, CALL_BOUNDARY, LUA };

struct order {
  enum code code;
  int slot; /* of a token or a request */
  long id;  /* of the request to begin */
  cctx *ctx;
  PyObject *root, *callable; /* of a call */
};

/* What one section or host is to do, and what it was answered since the last call. */
struct script {
  struct order orders[ORDERS];
  int n, at, answered;
  int64_t answers[ORDERS];
  bool hosted, held, failed;
  PyThreadState *state; /* of a section that let the interpreter go */
};

/* hunt_mixed.c includes this file, and knows orders for Lua besides. */
#ifndef HUNTED_LUA
#define HUNTED_LUA(script, order) ((void)(script), (void)(order), abort())
#endif

static cctx_token tokens[TOKENS];
static cctx_request requests[REQUESTS];

static int64_t id_of(const cctx *ctx) {
  const char *text = cctx_metadata(ctx, "hunt", NULL);
  return text ? strtoll(text, NULL, 10) : 0;
}

/* A request whose context has the id `id`. */
static void begin_request(int slot, cctx *parent, long id) {
  char text[24];
  int len = snprintf(text, sizeof text, "%ld", id);
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "hunt", text, (size_t)len};
  struct cctx_request_options options = {.metadata = &pair, .metadata_n = 1};
  if (cctx_request_begin(&requests[slot % REQUESTS], parent, &options) != CCTX_OK) abort();
}

/* ---- With the interpreter held ---- */

static PyObject *ask(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyLong_FromLongLong(id_of(cctx_current()));
}

static PyObject *ask_released(PyObject *module, PyObject *unused) {
  int64_t id;
  (void)module;
  (void)unused;
  Py_BEGIN_ALLOW_THREADS;
  id = id_of(cctx_current());
  Py_END_ALLOW_THREADS;
  return PyLong_FromLongLong(id);
}

static PyObject *status_of(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyLong_FromLong(cctx_current_status());
}

static PyObject *attach(PyObject *module, PyObject *args) {
  PyObject *context;
  cctx *ctx;
  int slot;
  (void)module;
  if (!PyArg_ParseTuple(args, "iO", &slot, &context)) return NULL;
  ctx = cctx_py_unwrap(context);
  if (ctx == NULL) return NULL;
  if (cctx_attach(ctx, &tokens[slot % TOKENS]) != CCTX_OK) return PyErr_NoMemory();
  Py_RETURN_NONE;
}

static PyObject *detach(PyObject *module, PyObject *slot) {
  long at = PyLong_AsLong(slot);
  (void)module;
  if (at < 0) return NULL;
  return PyLong_FromLong(cctx_detach(&tokens[at % TOKENS]));
}

static PyObject *begin(PyObject *module, PyObject *args) {
  PyObject *context;
  cctx *ctx;
  int slot;
  long id;
  (void)module;
  if (!PyArg_ParseTuple(args, "iOl", &slot, &context, &id)) return NULL;
  ctx = cctx_py_unwrap(context);
  if (ctx == NULL) return NULL;
  begin_request(slot, ctx, id);
  Py_RETURN_NONE;
}

static PyObject *context_of(PyObject *module, PyObject *slot) {
  long at = PyLong_AsLong(slot);
  (void)module;
  if (at < 0) return NULL;
  return cctx_py_wrap(requests[at % REQUESTS].ctx);
}

static PyObject *end(PyObject *module, PyObject *slot) {
  long at = PyLong_AsLong(slot);
  (void)module;
  if (at < 0) return NULL;
  return PyLong_FromLong(cctx_request_end(&requests[at % REQUESTS]));
}

/* ---- Sections and hosts ---- */

static void forget_orders(struct script *script) {
  for (int i = 0; i < script->n; i++) {
    if (script->orders[i].ctx) cctx_unref(script->orders[i].ctx);
    Py_XDECREF(script->orders[i].root);
    Py_XDECREF(script->orders[i].callable);
  }
  script->n = script->answered = 0;
}

/* One of (code, slot, id, context or None, callable or None, root or None). */
static int read_order(struct script *script, PyObject *tuple) {
  struct order *order = &script->orders[script->n];
  PyObject *context, *callable, *root;
  int code, slot;
  long id;
  if (!PyArg_ParseTuple(tuple, "iilOOO", &code, &slot, &id, &context, &callable, &root))
    return -1;
  *order = (struct order){.code = (enum code)code, .slot = slot, .id = id};
  if (context != Py_None) {
    cctx *ctx = cctx_py_unwrap(context);
    if (ctx == NULL) return -1;
    order->ctx = cctx_ref(ctx);
  }
  if (callable != Py_None) Py_INCREF(order->callable = callable);
  if (root != Py_None) Py_INCREF(order->root = root);
  script->n++;
  return 0;
}

static int read_orders(struct script *script, PyObject *list) {
  forget_orders(script);
  if (!PyList_Check(list) || PyList_GET_SIZE(list) > ORDERS) {
    PyErr_SetString(PyExc_TypeError, "orders must be a list of at most 200");
    return -1;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
    if (read_order(script, PyList_GET_ITEM(list, i)) < 0) return -1;
  return 0;
}

static PyObject *take_answers(struct script *script) {
  PyObject *list = PyList_New(script->answered);
  for (int i = 0; list && i < script->answered; i++)
    PyList_SET_ITEM(list, i, PyLong_FromLongLong(script->answers[i]));
  return list;
}

/* Call the callable with the answers; what it returns are the next orders. */
static void call_back(struct script *script, const struct order *order) {
  PyObject *answers, *args, *next = NULL;
  bool bracketed = order->code == CALL_BOUNDARY;
  answers = take_answers(script);
  args = answers ? PyTuple_Pack(1, answers) : NULL;
  Py_XDECREF(answers);
  if (args && bracketed)
    next = cctx_py_call(order->ctx, order->root, order->callable, args, NULL);
  else if (args)
    next = PyObject_Call(order->callable, args, NULL);
  Py_XDECREF(args);
  if (next == NULL || read_orders(script, next) < 0) script->failed = true;
  Py_XDECREF(next);
}

static void call_python(struct script *script, const struct order *order) {
  PyGILState_STATE gil = PyGILState_UNLOCKED;
  if (script->hosted)
    gil = PyGILState_Ensure();
  else if (!script->held)
    PyEval_RestoreThread(script->state);
  call_back(script, order);
  script->at = 0;
  if (script->hosted) {
    if (script->failed) PyErr_Print();
    PyGILState_Release(gil);
  } else if (!script->held) {
    script->state = PyEval_SaveThread();
  }
}

static void answer(struct script *script, int64_t id) {
  if (script->answered == ORDERS) abort();
  script->answers[script->answered++] = id;
}

static void carry_out_one(struct script *script, struct order *order) {
  switch (order->code) {
  case ASK: answer(script, id_of(cctx_current())); break;
  case ATTACH:
    if (cctx_attach(order->ctx, &tokens[order->slot % TOKENS]) != CCTX_OK) abort();
    break;
  case DETACH: cctx_detach(&tokens[order->slot % TOKENS]); break;
  case BEGIN: begin_request(order->slot, order->ctx, order->id); break;
  case END: cctx_request_end(&requests[order->slot % REQUESTS]); break;
  case CALL_RAW:
  case CALL_BOUNDARY: call_python(script, order); break;
  default: HUNTED_LUA(script, order); break;
  }
}

static void carry_out(struct script *script) {
  while (!script->failed && script->at < script->n)
    carry_out_one(script, &script->orders[script->at++]);
}

/* The answers since the last call, with the interpreter held again. */
static PyObject *finish(struct script *script) {
  PyObject *answers = script->failed ? NULL : take_answers(script);
  if (script->failed && !PyErr_Occurred())
    PyErr_SetString(PyExc_RuntimeError, "a callback failed; see above");
  forget_orders(script);
  PyMem_Free(script);
  return answers;
}

static struct script *new_script(PyObject *orders, bool hosted) {
  struct script *script = PyMem_Calloc(1, sizeof *script);
  if (script == NULL) return (struct script *)(void *)PyErr_NoMemory();
  script->hosted = hosted;
  if (read_orders(script, orders) == 0) return script;
  script->failed = true;
  finish(script);
  return NULL;
}

static PyObject *section(PyObject *module, PyObject *args) {
  struct script *script;
  PyObject *orders;
  int held;
  (void)module;
  if (!PyArg_ParseTuple(args, "Op", &orders, &held)) return NULL;
  script = new_script(orders, false);
  if (script == NULL) return NULL;
  script->held = held;
  if (!held) script->state = PyEval_SaveThread();
  carry_out(script);
  if (!held) PyEval_RestoreThread(script->state);
  return finish(script);
}

static void *be_host(void *script) {
  carry_out(script);
  return NULL;
}

static PyObject *host(PyObject *module, PyObject *orders) {
  struct script *script = new_script(orders, true);
  PyThreadState *state;
  pthread_t thread;
  (void)module;
  if (script == NULL) return NULL;
  state = PyEval_SaveThread();
  if (pthread_create(&thread, NULL, be_host, script) != 0) abort();
  pthread_join(thread, NULL);
  PyEval_RestoreThread(state);
  return finish(script);
}

static PyMethodDef methods[] = {
    {"ask", ask, METH_NOARGS, "The id of the current context."},
    {"ask_released", ask_released, METH_NOARGS, "The same, the interpreter let go."},
    {"status", status_of, METH_NOARGS, "cctx_current_status()."},
    {"attach", attach, METH_VARARGS, "attach(slot, context)"},
    {"detach", detach, METH_O, "detach(slot): a status"},
    {"begin", begin, METH_VARARGS, "begin(slot, parent, id)"},
    {"context_of", context_of, METH_O, "context_of(slot): of the request that began there"},
    {"end", end, METH_O, "end(slot): a status"},
    {"section", section, METH_VARARGS, "section(orders, held): the answers"},
    {"host", host, METH_O, "host(orders): the answers"},
    {NULL, NULL, 0, NULL},
};

#ifndef HUNTED_BUILT_IN
static int exec_module(PyObject *module) {
  (void)module;
  return cctx_py_import() ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec_module}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "hunted",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_hunted(void) { return PyModuleDef_Init(&definition); }
#endif
