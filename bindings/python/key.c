/* SPDX-License-Identifier: Apache-2.0 */
/* Named keys: making one, and which of them a context shows. */
#include "home.h"

#include <string.h>

cctx_key *cctx__py_to_key(PyObject *name) {
  Py_ssize_t len;
  const char *text = cctx__py_text(name, "key", &len);
  cctx_key *key;
  if (text == NULL) return NULL;
  key = strlen(text) == (size_t)len ? cctx_key_named(text) : NULL;
  if (key == NULL)
    PyErr_Format(
        PyExc_ValueError,
        "%R cannot be a key: a name has 1 to %d bytes and no NUL, and a process has "
        "room for %d names",
        name, CCTX_KEY_NAME_MAX, CCTX_KEY_NAMES_MAX);
  return key;
}

PyObject *cctx__py_key_named(PyObject *module, PyObject *args) {
  PyObject *name;
  cctx_key *key;
  int secret;
  (void)module;
  if (!PyArg_ParseTuple(args, "Op:_key_named", &name, &secret)) return NULL;
  key = cctx__py_to_key(name);
  if (key == NULL) return NULL;
  if (secret) key->flags |= CCTX_KEY_SECRET;
  Py_RETURN_NONE;
}

/* A list of (name, secret) of the values whose key has a name, nearest first: who has a private
 * key shows it to nobody. */
PyObject *cctx__py_key_names(PyObject *module, PyObject *context) {
  struct home *home = cctx__py_home_here();
  cctx *ctx = home ? cctx__py_unwrap(home, context) : NULL;
  PyObject *list = ctx ? PyList_New(0) : NULL;
  cctx_variant value;
  cctx_key *key;
  (void)module;
  for (size_t i = 0; list && cctx_value_at(ctx, i, &key, &value) == CCTX_OK; i++) {
    PyObject *item;
    if (key->name == NULL || cctx_key_find(key->name) != key) continue;
    item = Py_BuildValue(
        "(NN)",
        PyUnicode_DecodeUTF8(key->name, (Py_ssize_t)strlen(key->name), "surrogateescape"),
        PyBool_FromLong(key->flags & CCTX_KEY_SECRET));
    if (item == NULL || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}
