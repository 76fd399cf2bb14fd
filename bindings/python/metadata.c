/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: pairs of str, read from a context and set in one that is derived from it. */
#include "home.h"

/* -1 with an exception, for what is no word for a scope. */
static int to_scope(PyObject *word, enum cctx_metadata_scope *scope) {
  Py_ssize_t len;
  const char *text = cctx__py_text(word, "scope", &len);
  if (text == NULL) return -1;
  for (int i = CCTX_HOP; i <= CCTX_UPSTREAM; i++)
    if (strcmp(text, cctx_metadata_scope_word(i)) == 0) {
      *scope = (enum cctx_metadata_scope)i;
      return 0;
    }
  PyErr_Format(PyExc_ValueError, "scope must be 'hop', 'request' or 'upstream', not %R",
               word);
  return -1;
}

/* The same, but None is any scope: -1 then. -2 with an exception. */
static int to_scope_or_any(PyObject *word) {
  enum cctx_metadata_scope scope;
  if (word == Py_None) return -1;
  return to_scope(word, &scope) < 0 ? -2 : (int)scope;
}

/* ---- Reading ------------------------------------------------------------------- */

PyObject *cctx__py_read_metadata(struct home *home, cctx *ctx, bool is_current,
                                 PyObject *args, PyObject *kwargs) {
  static char *names[] = {"name", "default", "scope", NULL};
  PyObject *object, *absent = Py_None, *word = Py_None;
  const char *name, *value;
  size_t len;
  int is_name, scope;
  (void)home, (void)is_current;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:metadata", names, &object, &absent,
                                   &word) ||
      (is_name = cctx__py_to_name(object, "name", &name)) < 0 ||
      (scope = to_scope_or_any(word)) < -1)
    return NULL;
  value = is_name ? cctx_metadata(ctx, name, &len) : NULL;
  if (value == NULL || (scope >= 0 && cctx_metadata_scope(ctx, name) != scope)) {
    Py_INCREF(absent);
    return absent;
  }
  return PyUnicode_DecodeUTF8(value, (Py_ssize_t)len, "surrogateescape");
}

PyObject *cctx__py_read_metadata_scope(struct home *home, cctx *ctx, bool is_current,
                                       PyObject *args, PyObject *kwargs) {
  static char *names[] = {"name", NULL};
  const char *name, *word;
  PyObject *object;
  int is_name;
  (void)home, (void)is_current;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:metadata_scope", names, &object) ||
      (is_name = cctx__py_to_name(object, "name", &name)) < 0)
    return NULL;
  word = is_name ? cctx_metadata_scope_word(cctx_metadata_scope(ctx, name)) : NULL;
  if (word == NULL) Py_RETURN_NONE;
  return PyUnicode_FromString(word);
}

static PyObject *from_pair(const struct cctx_metadata_pair *pair) {
  PyObject *value =
      PyUnicode_DecodeUTF8(pair->value, (Py_ssize_t)pair->len, "surrogateescape");
  if (value == NULL) return NULL;
  return Py_BuildValue("(sNs)", pair->name, value,
                       cctx_metadata_scope_word((int)pair->scope));
}

PyObject *cctx__py_read_metadata_pairs(struct home *home, cctx *ctx, bool is_current,
                                       PyObject *args, PyObject *kwargs) {
  static char *names[] = {"scope", NULL};
  struct cctx_metadata_pair pair;
  PyObject *list, *word = Py_None;
  int scope;
  (void)home, (void)is_current;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:metadata_pairs", names, &word) ||
      (scope = to_scope_or_any(word)) < -1)
    return NULL;
  list = PyList_New(0);
  for (size_t i = 0; list && cctx_metadata_at(ctx, i, &pair) == CCTX_OK; i++) {
    PyObject *item;
    if (scope >= 0 && (int)pair.scope != scope) continue;
    item = from_pair(&pair);
    if (item == NULL || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

/* ---- Pairs from objects ---------------------------------------------------------- */

/* Texts are borrowed from the objects. */
static int to_pair(PyObject *name, PyObject *value, enum cctx_metadata_scope scope,
                   struct cctx_metadata_pair *pair) {
  Py_ssize_t name_len, len;
  if (!PyUnicode_Check(name) || !PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "metadata is a str for a str, not %.100s for %.100s",
                 Py_TYPE(value)->tp_name, Py_TYPE(name)->tp_name);
    return -1;
  }
  pair->name = cctx__py_text(name, "metadata name", &name_len);
  pair->value = pair->name ? cctx__py_text(value, "metadata value", &len) : NULL;
  if (pair->value == NULL) return -1;
  if (strlen(pair->name) != (size_t)name_len) pair->name = ""; /* refused by its rule */
  pair->len = (size_t)len;
  pair->scope = scope;
  return 0;
}

static int read_item(PyObject *item, enum cctx_metadata_scope scope,
                     struct cctx_metadata_pair *pair) {
  Py_ssize_t n = PyTuple_Check(item) ? PyTuple_GET_SIZE(item) : 0;
  if (n != 2 && n != 3) {
    PyErr_Format(PyExc_TypeError,
                 "an item of metadata must be (name, value) or (name, value, scope), not "
                 "%.200R",
                 item);
    return -1;
  }
  if (n == 3 && to_scope(PyTuple_GET_ITEM(item, 2), &scope) < 0) return -1;
  return to_pair(PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1), scope, pair);
}

/* What was given, as a list; a new reference. */
static PyObject *to_items(PyObject *name, PyObject *value) {
  int is_mapping;
  if (value) return Py_BuildValue("[(OO)]", name, value);
  is_mapping = cctx__py_is_mapping(name);
  if (is_mapping < 0) return NULL;
  if (is_mapping) return cctx__py_items(name, "metadata");
  if (!PyUnicode_Check(name) && !PyBytes_Check(name) &&
      (PySequence_Check(name) || Py_TYPE(name)->tp_iter))
    return PySequence_List(name);
  return PyErr_Format(PyExc_TypeError,
                      "metadata must be a mapping, or items as metadata_pairs() gives "
                      "them, not %.100s",
                      Py_TYPE(name)->tp_name);
}

int cctx__py_pairs_init(struct py_pairs *pairs, PyObject *name, PyObject *value,
                        PyObject *scope) {
  enum cctx_metadata_scope otherwise = CCTX_REQUEST;
  if (scope && to_scope(scope, &otherwise) < 0) return -1;
  pairs->items = to_items(name, value);
  if (pairs->items == NULL) return -1;
  pairs->n = (size_t)PyList_GET_SIZE(pairs->items);
  pairs->at = PyMem_New(struct cctx_metadata_pair, pairs->n + 1);
  if (pairs->at == NULL) PyErr_NoMemory();
  for (size_t i = 0; pairs->at && i < pairs->n; i++)
    if (read_item(PyList_GET_ITEM(pairs->items, (Py_ssize_t)i), otherwise, &pairs->at[i]) <
        0) {
      PyMem_Free(pairs->at);
      pairs->at = NULL;
    }
  if (pairs->at == NULL) Py_CLEAR(pairs->items);
  return pairs->at ? 0 : -1;
}

void cctx__py_pairs_done(struct py_pairs *pairs) {
  PyMem_Free(pairs->at);
  Py_DECREF(pairs->items);
}

static PyObject *raise_refused(int status, PyObject *name) {
  if (status == CCTX_ENOMEM) return PyErr_NoMemory();
  if (status == CCTX_ETOOBIG)
    return PyErr_Format(PyExc_ValueError,
                        "metadata %R is over the budget of %d pairs and %d bytes", name,
                        CCTX_METADATA_PAIRS_MAX, CCTX_METADATA_BYTES_MAX);
  return PyErr_Format(PyExc_ValueError,
                      "%R cannot be a metadata name: it takes 1 to %d letters, digits or "
                      "!#$%%&'*+-.^_`|~",
                      name, CCTX_METADATA_NAME_MAX);
}

PyObject *cctx__py_pairs_refused(const struct py_pairs *pairs, int status, size_t bad) {
  PyObject *item = bad < pairs->n ? PyList_GET_ITEM(pairs->items, (Py_ssize_t)bad) : NULL;
  return raise_refused(status, item ? PyTuple_GET_ITEM(item, 0) : Py_None);
}

/* ---- Setting --------------------------------------------------------------------- */

PyObject *cctx__py_with_metadata(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"name", "value", "scope", NULL};
  PyObject *name, *value = NULL, *scope = NULL, *result;
  struct py_pairs pairs;
  cctx *ctx = NULL;
  size_t bad = 0;
  int status;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:with_metadata", names, &name, &value,
                                   &scope) ||
      cctx__py_pairs_init(&pairs, name, value, scope) < 0)
    return NULL;
  status = cctx_with_metadata(&ctx, ((context_object *)self)->ctx, pairs.at, pairs.n, &bad);
  result = status == CCTX_OK ? cctx__py_wrap_child(self, ctx, NULL, 0)
                             : cctx__py_pairs_refused(&pairs, status, bad);
  cctx__py_pairs_done(&pairs);
  return result;
}

/* Fill in pairs that take the names out; -1 with an exception. */
static int to_removals(PyObject *names, struct cctx_metadata_pair *pairs) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
    PyObject *name = PyTuple_GET_ITEM(names, i);
    Py_ssize_t len;
    const char *text = cctx__py_text(name, "metadata name", &len);
    if (text == NULL) return -1;
    if (strlen(text) != (size_t)len) text = ""; /* refused by its rule */
    pairs[i] = (struct cctx_metadata_pair){.name = text};
  }
  return 0;
}

PyObject *cctx__py_without_metadata(PyObject *self, PyObject *names) {
  size_t n = (size_t)PyTuple_GET_SIZE(names), bad = 0;
  struct cctx_metadata_pair *pairs = PyMem_New(struct cctx_metadata_pair, n + 1);
  PyObject *result = NULL;
  cctx *ctx = NULL;
  int status;
  if (pairs == NULL) return PyErr_NoMemory();
  if (to_removals(names, pairs) == 0) {
    status = cctx_with_metadata(&ctx, ((context_object *)self)->ctx, pairs, n, &bad);
    result =
        status == CCTX_OK
            ? cctx__py_wrap_child(self, ctx, NULL, 0)
            : raise_refused(status, n ? PyTuple_GET_ITEM(names, (Py_ssize_t)bad) : Py_None);
  }
  PyMem_Free(pairs);
  return result;
}
