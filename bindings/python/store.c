/* SPDX-License-Identifier: Apache-2.0 */
/* Storing: the methods that derive a context which knows more. */
#include "home.h"

static cctx *get(PyObject *self) { return ((context_object *)self)->ctx; }
static struct home *home_of(PyObject *self) { return ((context_object *)self)->home; }

/* ---- Values -------------------------------------------------------------------- */

static int to_entry(struct home *home, PyObject *name, PyObject *value,
                    struct cctx_entry *entry) {
  entry->key = cctx__py_to_key(name);
  return entry->key ? cctx__py_to_value(home, value, &entry->value) : -1;
}

/* Give back `n` entries, of which none or all were stored. */
static void drop_entries(struct cctx_entry *entries, Py_ssize_t n) {
  for (Py_ssize_t i = 0; i < n; i++) cctx__py_value_done(&entries[i].value);
}

/* Takes the entries over. */
static PyObject *derive_values(PyObject *self, struct cctx_entry *entries, Py_ssize_t n) {
  struct box *one, **boxes = n == 1 ? &one : PyMem_New(struct box *, (size_t)n + 1), *box;
  PyObject *result = NULL;
  Py_ssize_t boxed = 0;
  for (Py_ssize_t i = 0; boxes && i < n; i++)
    if ((box = cctx__py_box_of(home_of(self), &entries[i].value)) != NULL)
      boxes[boxed++] = box;
  if (boxes)
    result = cctx__py_wrap_child(self, cctx_with_values(get(self), entries, (size_t)n),
                                 boxes, boxed);
  else
    PyErr_NoMemory();
  drop_entries(entries, n);
  if (boxes != &one) PyMem_Free(boxes);
  return result;
}

PyObject *cctx__py_with_value(PyObject *self, PyObject *args) {
  struct cctx_entry entry;
  PyObject *name, *value;
  if (!PyArg_ParseTuple(args, "OO:with_value", &name, &value) ||
      to_entry(home_of(self), name, value, &entry) < 0)
    return NULL;
  return derive_values(self, &entry, 1);
}

/* The items keep what the entries borrow. */
static PyObject *derive_from_items(PyObject *self, PyObject *items,
                                   struct cctx_entry *entries) {
  Py_ssize_t n = PyList_GET_SIZE(items), filled = 0;
  for (; filled < n; filled++) {
    PyObject *item = PyList_GET_ITEM(items, filled);
    if (to_entry(home_of(self), PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1),
                 &entries[filled]) < 0)
      break;
  }
  if (filled == n) return derive_values(self, entries, n);
  drop_entries(entries, filled);
  return NULL;
}

/* The items of a mapping as a list of pairs; a new reference. */
static PyObject *to_items(PyObject *mapping, const char *what) {
  PyObject *items;
  if (!PyDict_Check(mapping) && !PyObject_HasAttrString(mapping, "items")) {
    PyErr_Format(PyExc_TypeError, "%s must be a mapping, not %.100s", what,
                 Py_TYPE(mapping)->tp_name);
    return NULL;
  }
  items = PyMapping_Items(mapping);
  for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items); i++) {
    PyObject *item = PyList_GET_ITEM(items, i);
    if (PyTuple_Check(item) && PyTuple_GET_SIZE(item) == 2) continue;
    PyErr_Format(PyExc_TypeError, "the items of %s must be pairs", what);
    Py_CLEAR(items);
  }
  return items;
}

PyObject *cctx__py_with_values(PyObject *self, PyObject *mapping) {
  PyObject *items = to_items(mapping, "values"), *result = NULL;
  struct cctx_entry *entries;
  if (items == NULL) return NULL;
  entries = PyMem_New(struct cctx_entry, (size_t)PyList_GET_SIZE(items) + 1);
  if (entries)
    result = derive_from_items(self, items, entries);
  else
    PyErr_NoMemory();
  PyMem_Free(entries);
  Py_DECREF(items);
  return result;
}

/* ---- Metadata ------------------------------------------------------------------ */

static int to_scope(PyObject *word, enum cctx_metadata_scope *scope) {
  Py_ssize_t len;
  const char *text = word ? cctx__py_text(word, "scope", &len) : "request";
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

static PyObject *derive_metadata(PyObject *self, PyObject *items,
                                 enum cctx_metadata_scope scope,
                                 struct cctx_metadata_pair *pairs) {
  Py_ssize_t n = PyList_GET_SIZE(items);
  cctx *ctx = NULL;
  size_t bad = 0;
  int status;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject *item = PyList_GET_ITEM(items, i);
    if (to_pair(PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1), scope, &pairs[i]) < 0)
      return NULL;
  }
  status = cctx_with_metadata(&ctx, get(self), pairs, (size_t)n, &bad);
  if (status == CCTX_OK) return cctx__py_wrap_child(self, ctx, NULL, 0);
  return raise_refused(
      status, n ? PyTuple_GET_ITEM(PyList_GET_ITEM(items, (Py_ssize_t)bad), 0) : Py_None);
}

PyObject *cctx__py_with_metadata(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"name", "value", "scope", NULL};
  PyObject *name, *value = NULL, *items, *result = NULL;
  PyObject *word = NULL;
  enum cctx_metadata_scope scope;
  struct cctx_metadata_pair *pairs;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:with_metadata", names, &name, &value,
                                   &word) ||
      to_scope(word, &scope) < 0)
    return NULL;
  items = value ? Py_BuildValue("[(OO)]", name, value) : to_items(name, "metadata");
  if (items == NULL) return NULL;
  pairs = PyMem_New(struct cctx_metadata_pair, (size_t)PyList_GET_SIZE(items) + 1);
  if (pairs)
    result = derive_metadata(self, items, scope, pairs);
  else
    PyErr_NoMemory();
  PyMem_Free(pairs);
  Py_DECREF(items);
  return result;
}
