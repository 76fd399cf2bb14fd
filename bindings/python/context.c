/* SPDX-License-Identifier: Apache-2.0 */
/* The type cctx.Context. */
#include "home.h"

static cctx *get(PyObject *self) { return ((context_object *)self)->ctx; }
static struct home *home_of(PyObject *self) { return ((context_object *)self)->home; }

static PyObject *context_repr(PyObject *self) {
  int status = cctx_err(get(self));
  int64_t milliseconds = cctx_remaining(get(self)) / CCTX_MILLISECOND;
  if (get(self) == cctx_background())
    return PyUnicode_FromString("<cctx.Context background>");
  if (status) return PyUnicode_FromFormat("<cctx.Context %s>", cctx_status_word(status));
  if (cctx_deadline(get(self)) == CCTX_NEVER)
    return PyUnicode_FromString("<cctx.Context live>");
  return PyUnicode_FromFormat("<cctx.Context %lld ms left>", (long long)milliseconds);
}

static PyObject *context_compare(PyObject *a, PyObject *b, int op) {
  if (Py_TYPE(a) != Py_TYPE(b) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((get(a) == get(b)) == (op == Py_EQ));
}

static Py_hash_t context_hash(PyObject *self) {
  Py_hash_t hash = (Py_hash_t)((uintptr_t)get(self) >> 4);
  return hash == -1 ? -2 : hash;
}

/* Nothing of it can be changed through a copy, so it is its own. */
static PyObject *context_copy(PyObject *self, PyObject *unused) {
  (void)unused;
  Py_INCREF(self);
  return self;
}

static PyObject *context_reduce(PyObject *self, PyObject *unused) {
  (void)self, (void)unused;
  PyErr_SetString(
      PyExc_TypeError,
      "a context cannot be pickled: inject what it carries into headers, and extract it "
      "from them on the other side");
  return NULL;
}

/* ---- Deriving ---------------------------------------------------------------- */

static PyObject *context_with_cancel(PyObject *self, PyObject *unused) {
  (void)unused;
  return cctx__py_wrap_child(self, cctx_with_cancel(get(self)), NULL, 0);
}

static PyObject *derive_deadline(PyObject *self, int64_t deadline, const char *message) {
  const char *file;
  int line;
  cctx__py_place(&file, &line);
  return cctx__py_wrap_child(
      self, cctx_with_deadline_at(get(self), deadline, message, file, line), NULL, 0);
}

static PyObject *context_with_deadline(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"deadline", "message", NULL};
  const char *message;
  PyObject *seconds, *text = NULL;
  int64_t deadline;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:with_deadline", names, &seconds,
                                   &text) ||
      cctx__py_message(text, &message) < 0 ||
      cctx__py_to_timeout(seconds, "deadline", &deadline) < 0)
    return NULL;
  return derive_deadline(self, deadline, message);
}

static PyObject *context_with_timeout(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"timeout", "message", NULL};
  const char *message;
  PyObject *seconds, *text = NULL;
  int64_t timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:with_timeout", names, &seconds,
                                   &text) ||
      cctx__py_message(text, &message) < 0 ||
      cctx__py_to_timeout(seconds, "timeout", &timeout) < 0)
    return NULL;
  return derive_deadline(self, cctx_deadline_after(timeout), message);
}

static PyObject *context_with_grace(PyObject *self, PyObject *seconds) {
  int64_t grace;
  if (cctx__py_to_timeout(seconds, "grace", &grace) < 0) return NULL;
  return cctx__py_wrap_child(self, cctx_with_grace(get(self), grace), NULL, 0);
}

static PyObject *context_merge(PyObject *self, PyObject *others) {
  Py_ssize_t n = PyTuple_GET_SIZE(others);
  cctx **parents = PyMem_New(cctx *, (size_t)n + 1), *merged = NULL;
  Py_ssize_t i = 0;
  if (parents == NULL) return PyErr_NoMemory();
  parents[0] = get(self);
  for (; i < n; i++) {
    parents[i + 1] = cctx__py_unwrap(home_of(self), PyTuple_GET_ITEM(others, i));
    if (parents[i + 1] == NULL) break;
  }
  if (i == n) merged = cctx_merge(parents, (size_t)n + 1);
  PyMem_Free(parents);
  return i == n ? cctx__py_wrap_merged(self, merged, others) : NULL;
}

static PyObject *context_detached(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"keep_deadline", NULL};
  int keep_deadline = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:detached", names, &keep_deadline))
    return NULL;
  return cctx__py_wrap_detached(
      home_of(self), cctx_detached(get(self), keep_deadline ? CCTX_KEEP_DEADLINE : 0));
}

static PyObject *context_cancel(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"message", NULL};
  const char *message, *file;
  PyObject *text = NULL;
  int line, first;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", names, &text) ||
      cctx__py_message(text, &message) < 0)
    return NULL;
  cctx__py_place(&file, &line);
  first = cctx_cancel_at(get(self), message, file, line);
  if (first >= 0) return PyBool_FromLong(first);
  PyErr_SetString(PyExc_ValueError,
                  "this context cannot be canceled: only what with_cancel, with_timeout, "
                  "with_deadline, with_grace or merge returned can");
  return NULL;
}

static PyObject *context_run(PyObject *self, PyObject *args, PyObject *kwargs) {
  PyObject *callable, *rest, *result;
  if (PyTuple_GET_SIZE(args) == 0) {
    PyErr_SetString(PyExc_TypeError, "run() needs a callable as its first argument");
    return NULL;
  }
  callable = PyTuple_GET_ITEM(args, 0);
  rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  if (rest == NULL) return NULL;
  result = cctx__py_call_under(get(self), CCTX_LIFETIME_AUTO, callable, rest, kwargs);
  Py_DECREF(rest);
  return result;
}

#define METHOD(name, function, flags, signature, text)                                     \
  { name, CCTX__PY_METHOD(function), flags, CCTX__PY_DOC(name, signature, text) }

static PyMethodDef context_methods[] = {
#define XX(name, text)                                                                     \
  METHOD(#name, cctx__py_context_##name, METH_NOARGS, "($self, /)", text),
    CCTX__PY_READERS(XX)
#undef XX
#define XX(name, parameters, text)                                                         \
  METHOD(#name, cctx__py_context_##name, METH_VARARGS | METH_KEYWORDS,                     \
         "($self, /, " parameters ")", text),
        CCTX__PY_CALLS(XX)
#undef XX
            METHOD("with_value", cctx__py_with_value, METH_VARARGS,
                   "($self, key, value, /)",
                   "A child in which the key of this name has this value."),
    METHOD("with_values", cctx__py_with_values, METH_O, "($self, values, /)",
           "A child with all values of a mapping."),
    METHOD("with_metadata", cctx__py_with_metadata, METH_VARARGS | METH_KEYWORDS,
           "($self, /, name, value=None, scope='request')",
           "A child with one more pair, or with the pairs of a mapping, or of items as\n"
           "metadata_pairs() gives them. scope is 'hop', 'request' or 'upstream'."),
    METHOD("without_metadata", cctx__py_without_metadata, METH_VARARGS,
           "($self, /, *names)", "A child without these names, of whatever scope."),
    METHOD("with_response", cctx__py_with_response, METH_VARARGS | METH_KEYWORDS,
           "($self, /, policy='last')",
           "A child with a response of its own, for one call: what is received under it\n"
           "comes there. policy is 'last', 'first' or 'append'."),
    METHOD("response_end", cctx__py_response_end, METH_NOARGS, "($self, /)",
           "Nothing comes into the response any more. True if this call ended it."),
    METHOD("with_cancel", context_with_cancel, METH_NOARGS, "($self, /)",
           "A child that cancel() can stop."),
    METHOD(
        "with_deadline", context_with_deadline, METH_VARARGS | METH_KEYWORDS,
        "($self, /, deadline, message=None)",
        "A child that stops at deadline (seconds of time.monotonic()); None means never."),
    METHOD("with_timeout", context_with_timeout, METH_VARARGS | METH_KEYWORDS,
           "($self, /, timeout, message=None)",
           "A child that stops after timeout seconds; None means no limit."),
    METHOD("with_grace", context_with_grace, METH_O, "($self, grace, /)",
           "A child that is done grace seconds after this context is, for its cause."),
    METHOD("merge", context_merge, METH_VARARGS, "($self, /, *others)",
           "A context that ends with the first of these that does; values are this one's."),
    METHOD("detached", context_detached, METH_VARARGS | METH_KEYWORDS,
           "($self, /, keep_deadline=False)",
           "The same values and metadata, without cancellation and deadline."),
    METHOD("cancel", context_cancel, METH_VARARGS | METH_KEYWORDS,
           "($self, /, message=None)",
           "Stop this context and all below it. True if this call was the first."),
    METHOD("run", context_run, METH_VARARGS | METH_KEYWORDS,
           "($self, callable, /, *args, **kwargs)",
           "Call with this context current, on any thread."),
    METHOD("wait", cctx__py_context_wait, METH_VARARGS | METH_KEYWORDS,
           "($self, /, timeout=None)",
           "Block until it is done, for timeout seconds at most: err()."),
    METHOD("done", cctx__py_context_done, METH_NOARGS, "($self, /)",
           "To be awaited: err(), once it is done."),
    METHOD(
        "on_done", cctx__py_context_on_done, METH_VARARGS | METH_KEYWORDS,
        "($self, /, callback, *, loop=None)",
        "Have an asyncio loop call callback(context) once it is done: by default the one\n"
        "that runs here. An Observer, whose off() prevents that."),
#define XX(name, flags, signature, text)                                                   \
  METHOD(#name, cctx__py_##name, flags, signature, text),
    CCTX__PY_SESSION_METHODS(XX)
#undef XX
        {"__copy__", context_copy, METH_NOARGS, NULL},
    {"__deepcopy__", context_copy, METH_O, NULL},
    {"__reduce_ex__", context_reduce, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef context_views[] = {
    {"values", cctx__py_context_values, NULL,
     PyDoc_STR("All values with a name, but for secret ones, as a Mapping."), NULL},
    {"metadata_map", cctx__py_context_metadata_map, NULL,
     PyDoc_STR("All metadata as a Mapping."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    context_doc,
    "A node in the tree of contexts: must I stop, why, by when, and what is known of\n"
    "the request. Immutable but for its cancellation. Get one from current(),\n"
    "background() or by deriving.");

static PyType_Slot context_slots[] = {
    {Py_tp_dealloc, cctx__py_context_dealloc},
    {Py_tp_traverse, cctx__py_context_traverse},
    {Py_tp_repr, context_repr},
    {Py_tp_richcompare, context_compare},
    {Py_tp_hash, context_hash},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_views},
    {Py_tp_doc, (void *)context_doc},
    {0, NULL},
};

PyType_Spec cctx__py_context_spec = {
    .name = "cctx.Context",
    .basicsize = sizeof(context_object),
    .itemsize = sizeof(struct stored),
    .flags = CCTX__PY_FINAL_TYPE | Py_TPFLAGS_HAVE_GC,
    .slots = context_slots,
};
