/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua module `bridge`: a C extension that lets Lua call Python, and Python call back.
 *
 *     local bridge = require "bridge"
 *     print(bridge.seen().tenant)                 -- what C sees, asking cctx_current()
 *     bridge.python("steps", "run", function(x)   -- steps.run(f), which may call f(1)
 *       return x + 1                              -- in a coroutine of its own
 *     end)
 *
 * It is a guest: the process has both interpreters, and nobody passes it a context. Two
 * rules keep it safe. A Lua error is a longjmp, so nothing that may raise one runs while the
 * GIL is held. And the GIL is released while Lua runs.
 */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

#include <cctx.h>
#include <cctx/lua.h>
#include <stdlib.h>
#include <string.h>

/* ---- What C sees ------------------------------------------------------------------- */

static void set_metadata(lua_State *L, cctx *ctx, const char *name) {
  size_t len;
  const char *value = cctx_metadata(ctx, name, &len);
  if (value == NULL) return;
  lua_pushlstring(L, value, len);
  lua_setfield(L, -2, name);
}

static void set_value(lua_State *L, cctx *ctx, const char *name) {
  cctx_variant value;
  if (cctx_value(ctx, cctx_key_find(name), &value) != 0) return;
  cctx_lua_push_value(L, &value);
  lua_setfield(L, -2, name);
}

/* bridge.seen() -> {tenant, user, trace_id, remaining}, each nil where there is none.
 * Lua may run finalizers when it allocates, so the context is held by a Lua object. */
static int seen(lua_State *L) {
  cctx *ctx = cctx_current();
  int64_t remaining = cctx_remaining(ctx);
  cctx_lua_push(L, ctx);
  ctx = cctx_lua_to(L, -1);
  lua_createtable(L, 0, 4);
  set_metadata(L, ctx, "tenant");
  set_metadata(L, ctx, "user");
  set_value(L, ctx, "trace_id");
  if (remaining == CCTX_NEVER) return 1;
  lua_pushnumber(L, (double)remaining / (double)CCTX_SECOND);
  lua_setfield(L, -2, "remaining");
  return 1;
}

/* ---- Python calls Lua -------------------------------------------------------------- */

/* A Lua function lent to Python for the time of one bridge.python. */
struct loan {
  lua_State *L;         /* whose frame has the function as argument 3; NULL: given back */
  unsigned long thread; /* the only one that may touch L */
  bool running;         /* then L waits for its coroutine, and must not be touched */
};

#define LOAN "bridge.loan"
#define ARGUMENTS_MAX 8

struct arguments {
  cctx *ctx;
  int n;
  cctx_variant values[ARGUMENTS_MAX];
};

/* Protected, without the GIL: (function, arguments) -> its first result. */
static int run_in_coroutine(lua_State *L) {
  const struct arguments *arguments = lua_touserdata(L, 2);
  lua_State *co = lua_newthread(L);
  int nargs = arguments->n, status, nresults;
  luaL_checkstack(co, nargs + 1, "too many arguments");
  cctx_lua_bind(L, co, arguments->ctx);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  for (int i = 0; i < nargs; i++) cctx_lua_push_value(co, &arguments->values[i]);
  while ((status = cctx_lua_resume(co, L, nargs, &nresults)) == LUA_YIELD) {
    lua_pop(co, nresults);
    nargs = 0;
  }
  if (status != LUA_OK) {
    lua_xmove(co, L, 1);
    luaL_tolstring(L, -1, NULL);
    return lua_error(L);
  }
  if (nresults == 0) return 0;
  lua_pop(co, nresults - 1);
  lua_xmove(co, L, 1);
  return 1;
}

/* The result, or the error, is on top of L. */
static PyObject *take_result(lua_State *L, int status) {
  const char *message;
  cctx_variant value;
  if (status != LUA_OK) {
    message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown error";
    PyErr_Format(PyExc_RuntimeError, "Lua: %s", message);
    return NULL;
  }
  if (cctx_lua_to_value(L, -1, &value) == 0) return cctx_py_from_value(&value);
  return PyErr_Format(PyExc_TypeError,
                      "a Lua function returned a %s; it may return nil, a boolean, a "
                      "number or a string",
                      luaL_typename(L, -1));
}

static PyObject *call_lua(struct loan *loan, struct arguments *arguments) {
  lua_State *L = loan->L;
  PyObject *result;
  int status;
  if (!lua_checkstack(L, 4)) return PyErr_NoMemory();
  arguments->ctx = cctx_current_ref();
  loan->running = true;
  Py_BEGIN_ALLOW_THREADS;
  lua_pushcfunction(L, run_in_coroutine);
  lua_pushvalue(L, 3);
  lua_pushlightuserdata(L, arguments);
  status = lua_pcall(L, 2, 1, 0);
  Py_END_ALLOW_THREADS;
  loan->running = false;
  cctx_unref(arguments->ctx);
  result = take_result(L, status);
  lua_pop(L, 1);
  return result;
}

static int read_arguments(PyObject *args, struct arguments *out) {
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n > ARGUMENTS_MAX) {
    PyErr_Format(PyExc_TypeError, "a Lua function takes at most %d arguments from Python",
                 ARGUMENTS_MAX);
    return -1;
  }
  for (out->n = 0; out->n < n; out->n++) {
    cctx_variant *value = &out->values[out->n];
    if (cctx_py_to_value(PyTuple_GET_ITEM(args, out->n), value) < 0) return -1;
    if (value->type != CCTX_POINTER) continue;
    cctx_py_value_done(value);
    PyErr_SetString(PyExc_TypeError,
                    "a Lua function takes None, bool, int, float and str from Python");
    return -1;
  }
  return 0;
}

static PyObject *call_loan(PyObject *capsule, PyObject *args) {
  struct loan *loan = PyCapsule_GetPointer(capsule, LOAN);
  struct arguments arguments;
  const char *why = NULL;
  if (loan == NULL) return NULL;
  if (loan->L == NULL)
    why = "the call that lent this Lua function has ended";
  else if (loan->thread != PyThread_get_thread_ident())
    why = "a Lua function may be called on the thread that lent it only";
  else if (loan->running)
    why = "this Lua function is running, and may not call itself through Python";
  if (why) {
    PyErr_SetString(PyExc_RuntimeError, why);
    return NULL;
  }
  return read_arguments(args, &arguments) < 0 ? NULL : call_lua(loan, &arguments);
}

static PyMethodDef loan_method = {"lua_function", call_loan, METH_VARARGS, NULL};

static void free_loan(PyObject *capsule) { free(PyCapsule_GetPointer(capsule, LOAN)); }

/* A Python callable, and in `*out` the loan to be given back: alive while `*capsule` is. */
static PyObject *lend(lua_State *L, PyObject **capsule, struct loan **out) {
  struct loan *loan = malloc(sizeof *loan);
  PyObject *callable;
  if (loan == NULL) return PyErr_NoMemory();
  *loan = (struct loan){L, PyThread_get_thread_ident(), false};
  *capsule = PyCapsule_New(loan, LOAN, free_loan);
  if (*capsule == NULL) {
    free(loan);
    return NULL;
  }
  callable = PyCFunction_New(&loan_method, *capsule);
  if (callable == NULL) Py_CLEAR(*capsule);
  *out = loan;
  return callable;
}

/* ---- Lua calls Python -------------------------------------------------------------- */

/* What came of a call, free of Python: it is given to Lua without the GIL. */
struct outcome {
  bool failed;
  cctx_variant value; /* the result, or the message */
  char *bytes;        /* of a string: malloc'ed */
};

static void keep_string(struct outcome *out, const char *bytes, size_t len) {
  out->bytes = malloc(len + 1);
  if (out->bytes == NULL) {
    out->failed = true;
    out->value = cctx_text("not enough memory");
    return;
  }
  memcpy(out->bytes, bytes, len);
  out->value = cctx_bytes(out->bytes, len);
}

/* The pending exception as "Type: text". */
static void keep_exception(struct outcome *out) {
  PyObject *type, *error, *traceback, *line = NULL;
  const char *text = NULL;
  Py_ssize_t len = 0;
  out->failed = true;
  PyErr_Fetch(&type, &error, &traceback);
  PyErr_NormalizeException(&type, &error, &traceback);
  if (error)
    line = PyUnicode_FromFormat("%s: %S", ((PyTypeObject *)(void *)type)->tp_name, error);
  if (line) text = PyUnicode_AsUTF8AndSize(line, &len);
  if (text)
    keep_string(out, text, (size_t)len);
  else
    out->value = cctx_text("Python raised an exception that cannot be shown");
  PyErr_Clear();
  Py_XDECREF(line);
  Py_XDECREF(type);
  Py_XDECREF(error);
  Py_XDECREF(traceback);
}

static void keep_result(PyObject *result, struct outcome *out) {
  if (cctx_py_to_value(result, &out->value) < 0) {
    keep_exception(out);
  } else if (out->value.type == CCTX_STRING) {
    keep_string(out, out->value.as.s.bytes, out->value.as.s.len);
  } else if (out->value.type == CCTX_POINTER) {
    cctx_py_value_done(&out->value);
    PyErr_Format(PyExc_TypeError, "Lua takes None, bool, int, float and str, not %s",
                 Py_TYPE(result)->tp_name);
    keep_exception(out);
  }
}

static PyObject *find_function(const char *module, const char *name) {
  PyObject *imported = PyImport_ImportModule(module);
  PyObject *function = imported ? PyObject_GetAttrString(imported, name) : NULL;
  Py_XDECREF(imported);
  return function;
}

/* With the GIL: module.name(lua function) under `ctx`. */
static PyObject *call_python(lua_State *L, cctx *ctx, const char *module,
                             const char *name) {
  PyObject *function, *callable, *capsule = NULL, *args, *result = NULL;
  struct loan *loan = NULL;
  if (cctx_py_import() == NULL) return NULL;
  function = find_function(module, name);
  if (function == NULL) return NULL;
  callable = lend(L, &capsule, &loan);
  args = callable ? PyTuple_Pack(1, callable) : NULL;
  if (args) result = cctx_py_call(ctx, NULL, function, args, NULL);
  if (callable) loan->L = NULL; /* Python may have kept it */
  Py_XDECREF(args);
  Py_XDECREF(callable);
  Py_XDECREF(capsule);
  Py_DECREF(function);
  return result;
}

static int push_outcome(lua_State *L) {
  const struct outcome *outcome = lua_touserdata(L, 1);
  cctx_lua_push_value(L, &outcome->value);
  return 1;
}

/* bridge.python(module, function, lua_function) -> what function(lua_function) returned */
static int python(lua_State *L) {
  const char *module = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
  struct outcome outcome = {false, cctx_nil(), NULL};
  PyGILState_STATE gil;
  PyObject *result;
  cctx *ctx;
  int status;
  luaL_checktype(L, 3, LUA_TFUNCTION);
  luaL_checkstack(L, 2, "no room for the result of Python");
  if (!Py_IsInitialized()) return luaL_error(L, "no Python is running in this process");
  ctx = cctx_ref(cctx_lua_current(L));
  gil = PyGILState_Ensure();
  result = call_python(L, ctx, module, name);
  if (result)
    keep_result(result, &outcome);
  else
    keep_exception(&outcome);
  Py_XDECREF(result);
  PyGILState_Release(gil);
  cctx_unref(ctx);
  lua_pushcfunction(L, push_outcome);
  lua_pushlightuserdata(L, &outcome);
  status = lua_pcall(L, 1, 1, 0);
  free(outcome.bytes);
  return status != LUA_OK || outcome.failed ? lua_error(L) : 1;
}

static const luaL_Reg functions[] = {{"seen", seen}, {"python", python}, {NULL, NULL}};

CCTX_API int luaopen_bridge(lua_State *L);
CCTX_API int luaopen_bridge(lua_State *L) {
  cctx_lua_open(L);
  luaL_newlib(L, functions);
  return 1;
}
