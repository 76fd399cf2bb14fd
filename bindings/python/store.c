/* SPDX-License-Identifier: Apache-2.0 */
/* Storing: the methods that derive a context which knows more values. */
#include "home.h"

static cctx *get(PyObject *self) { return ((context_object *)self)->ctx; }
static struct home *home_of(PyObject *self) { return ((context_object *)self)->home; }

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

PyObject *cctx__py_with_values(PyObject *self, PyObject *mapping) {
  PyObject *items = cctx__py_items(mapping, "values"), *result = NULL;
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
