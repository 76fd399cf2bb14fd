/* SPDX-License-Identifier: Apache-2.0 */
/* Bound variables: plain ContextVars that mirror values of the current context.
 *
 * Entering a scope sets the variable of each bound key whose value is not the one that was
 * current before; leaving puts back what the variable had. So the variable is always at least
 * as new as the context, and a reader of the current context in Python asks it first.
 *
 * home->bound is a tuple of (name, variable, default), replaced as a whole. A mirror is what
 * one scope has to put back: a list of [variable, token or None, what to set without it].
 */
#include "home.h"

#include <string.h>

static bool is_same(const cctx_variant *a, const cctx_variant *b) {
  if (a->type != b->type) return false;
  switch (a->type) {
  case CCTX_BOOL: return a->as.b == b->as.b;
  case CCTX_INT: return a->as.i == b->as.i;
  case CCTX_DOUBLE: return memcmp(&a->as.d, &b->as.d, sizeof a->as.d) == 0;
  case CCTX_STRING:
    return a->as.s.len == b->as.s.len &&
           memcmp(a->as.s.bytes, b->as.s.bytes, a->as.s.len) == 0;
  case CCTX_POINTER: return a->as.p.ptr == b->as.p.ptr;
  case CCTX_NIL: break;
  }
  return true;
}

/* Whether the running Context has a value of its own for `variable`; it is in `*value`, a
 * new reference, else the default is. Scopes' type stands for "none": nobody else has it. */
static bool get(const struct home *home, PyObject *variable, PyObject *absent,
                PyObject **value) {
  PyObject *none = (PyObject *)home->scope_type;
  if (PyContextVar_Get(variable, none, value) == 0 && *value != none) return true;
  PyErr_Clear();
  Py_INCREF(absent);
  Py_XSETREF(*value, absent);
  return false;
}

/* NULL, which no context has, for lack of memory. */
static const cctx_key *key_of(PyObject *binding) {
  const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(binding, 0));
  return name ? cctx_key_find(name) : NULL;
}

/* Set the variable of `entry`, a list (variable, token, what it had), to `value`. The token is
 * missing if that failed, be it after the variable was set. */
static bool set_variable(const struct home *home, PyObject *entry, PyObject *value) {
  PyObject *token = cctx__py_set(home, PyList_GET_ITEM(entry, 0), value);
  if (token == NULL) return false;
  PyList_SetItem(entry, 1, token);
  return true;
}

static void put_back(const struct home *home, PyObject *entry) {
  PyObject *variable = PyList_GET_ITEM(entry, 0), *token = PyList_GET_ITEM(entry, 1);
  PyObject *set;
  if (token != Py_None && cctx__py_reset(home, variable, token) == 0) return;
  PyErr_Clear();
  set = cctx__py_set(home, variable, PyList_GET_ITEM(entry, 2));
  if (set == NULL) PyErr_Clear();
  Py_XDECREF(set);
}

void cctx__py_unmirror(const struct home *home, PyObject **slot) {
  PyObject *mirror = *slot;
  *slot = NULL;
  for (Py_ssize_t i = mirror ? PyList_GET_SIZE(mirror) : 0; i > 0; i--)
    put_back(home, PyList_GET_ITEM(mirror, i - 1));
  Py_XDECREF(mirror);
}

/* Set the variable of `binding` to what `to` has. First of all `mirror` says what it had. */
static bool mirror_one(struct home *home, PyObject *binding, const cctx *to,
                       PyObject *mirror) {
  PyObject *variable = PyTuple_GET_ITEM(binding, 1), *absent = PyTuple_GET_ITEM(binding, 2);
  PyObject *before = NULL, *after = absent, *entry;
  cctx_variant value;
  bool ok;
  if (cctx_value(to, key_of(binding), &value) == CCTX_OK)
    after = cctx__py_from_value(home, &value);
  else
    Py_INCREF(after);
  get(home, variable, absent, &before);
  entry = after ? Py_BuildValue("[OOO]", variable, Py_None, before) : NULL;
  ok = entry && PyList_Append(mirror, entry) == 0 && set_variable(home, entry, after);
  Py_XDECREF(entry);
  Py_DECREF(before);
  Py_XDECREF(after);
  return ok;
}

static bool mirror_all(struct home *home, const cctx *from, const cctx *to,
                       PyObject *mirror) {
  PyObject *bound = home->bound;
  bool ok = true;
  Py_INCREF(bound);
  for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(bound); i++) {
    PyObject *binding = PyTuple_GET_ITEM(bound, i);
    const cctx_key *key = key_of(binding);
    cctx_variant a, b;
    bool had = from && cctx_value(from, key, &a) == CCTX_OK;
    if (from && had == (cctx_value(to, key, &b) == CCTX_OK) && (!had || is_same(&a, &b)))
      continue;
    ok = mirror_one(home, binding, to, mirror);
  }
  Py_DECREF(bound);
  return ok;
}

bool cctx__py_mirror(struct home *home, const cctx *from, const cctx *to,
                     PyObject **mirror) {
  *mirror = PyList_New(0);
  if (*mirror && mirror_all(home, from, to, *mirror)) {
    if (PyList_GET_SIZE(*mirror) == 0) Py_CLEAR(*mirror);
    return true;
  }
  PyErr_Clear();
  cctx__py_unmirror(home, mirror);
  return false;
}

static bool has_value(const cctx *ctx, PyObject *binding) {
  cctx_variant value;
  return cctx_value(ctx, key_of(binding), &value) == CCTX_OK;
}

/* The default is what a scope sets where the context says nothing: then nothing is set. */
PyObject *cctx__py_bound_value(struct home *home, const cctx *ctx, const char *name) {
  PyObject *bound = home->bound, *value = NULL;
  if (bound == NULL || !cctx__py_is_from_variable(home, ctx)) return NULL;
  Py_INCREF(bound);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bound); i++) {
    PyObject *binding = PyTuple_GET_ITEM(bound, i);
    const char *bound_name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(binding, 0));
    if (bound_name == NULL || strcmp(bound_name, name) != 0) continue;
    if (!get(home, PyTuple_GET_ITEM(binding, 1), PyTuple_GET_ITEM(binding, 2), &value) ||
        (value == PyTuple_GET_ITEM(binding, 2) && !has_value(ctx, binding)))
      Py_CLEAR(value);
    break;
  }
  Py_DECREF(bound);
  return value;
}

PyObject *cctx__py_set_bound(PyObject *module, PyObject *bound) {
  struct home *home = cctx__py_home_here();
  (void)module;
  if (home == NULL) return NULL;
  if (!PyTuple_CheckExact(bound)) {
    PyErr_SetString(PyExc_TypeError, "bound must be a tuple");
    return NULL;
  }
  Py_CLEAR(home->bound);
  if (PyTuple_GET_SIZE(bound) == 0) Py_RETURN_NONE;
  Py_INCREF(bound);
  home->bound = bound;
  Py_RETURN_NONE;
}
